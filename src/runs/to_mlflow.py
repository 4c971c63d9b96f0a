"""--mlflow: MLflow, at MLFLOW_TRACKING_URI or in the local store logs/mlruns."""
import os

from runs.tracking import FOLDER, Tracker


class Log(Tracker):
    """A run of the experiment of the run's name."""

    package = 'mlflow'

    def open(self, known):
        """Begins a run, or goes on with one."""
        os.environ.setdefault('MLFLOW_ALLOW_FILE_STORE', 'true')
        import mlflow
        uri = os.environ.get('MLFLOW_TRACKING_URI') or (FOLDER / 'mlruns').as_uri()
        self.client, config = mlflow.MlflowClient(tracking_uri=uri), self.run.record['config']
        if known:
            self.client.update_run(known, status='RUNNING')
            self.id = known
            return known
        found = self.client.get_experiment_by_name(config['experiment'])
        where = found.experiment_id if found else self.client.create_experiment(config['experiment'])
        self.id = self.client.create_run(where, run_name=self.run.place.final.stem).info.run_id
        for name, value in config.items():
            self.client.log_param(self.id, name, str(value)[:500])
        return self.id

    def log(self, values, step):
        """Logs numbers."""
        for name, value in values.items():
            self.client.log_metric(self.id, name, value, step=step)

    def close(self, finished):
        """Ends it."""
        self.client.set_terminated(self.id, status='FINISHED' if finished else 'KILLED')
