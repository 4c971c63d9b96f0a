"""--wandb: Weights & Biases, by its own settings (WANDB_PROJECT, WANDB_MODE=offline, ...); files in logs/wandb."""
import os

from runs.tracking import FOLDER, Tracker


class Log(Tracker):
    """A run of the project of that name, 'hat' if there is none, in the group of its experiment and approach."""

    package = 'wandb'

    def open(self, known):
        """Begins a run, or goes on with one."""
        import wandb
        os.environ.setdefault('WANDB_DIR', str(FOLDER))
        config, project = self.run.record['config'], os.environ.get('WANDB_PROJECT', 'hat')
        name, group = self.run.place.final.stem, '%s %s' % (config['experiment'], config['approach'])
        self.log_to = wandb.init(project=project, name=name, group=group, config=config, id=known, resume='allow')
        return self.log_to.id

    def log(self, values, step):
        """Logs numbers."""
        self.log_to.log(values, step=step)

    def close(self, finished):
        """Ends it."""
        self.log_to.finish(exit_code=0 if finished else 1)
