"""Settings for each approach in a TOML file, a table for each: read for a plan, written by a search.

    [hat]
    # best of 48 of 48 runs on smnist by validation accuracy of tasks 0,1,2: 98.70 %
    lamb = 0.5
    smax = 200
"""
import json
import re

import discovery
import utils
from runs import build, commandline, config, plan
from runs.advice import unflag
from utils import UserError


def read(path, option='--settings'):
    """Return {approach: {option: value}} of a file. Raises UserError for what is no table of an approach."""
    found = config.of_toml(path, option)
    for name, table in found.items():
        if not isinstance(table, dict):
            raise UserError('%s: %s is in no table: expected one for each approach, as in [hat]'
                            % (path, name))
        discovery.choice('approaches', name, str(path))
        wrong = [key for key in table if unflag(key) in (*plan.OWN, 'config', *commandline.TRIALS)]
        if wrong:
            raise UserError('%s: %s of [%s]: the plan sets it' % (path, wrong[0], name))
    return found


def keep(path, approach, values, note):
    """Write values, {option: number or text}, as an approach's table, with a note, into a file; other tables,
    and what is said beside them, stay. Raises UserError for a file that is not written in lines as above."""
    before = read(path, '--keep') if path.exists() else {}
    text = path.read_text('utf-8') if before else ''
    lines = ['%s = %s' % (key, json.dumps(value, ensure_ascii=False)) for key, value in values.items()]
    table = '\n'.join(['[%s]' % approach, '# ' + note, *lines, ''])
    parts = re.split(r'^(?=\[)', text, flags=re.MULTILINE)
    header = re.compile(r'\[\s*["\']?%s["\']?\s*\]' % re.escape(approach))
    mine = [i for i, part in enumerate(parts) if header.match(part)]
    if mine:
        parts[mine[0]] = table + '\n' * (mine[0] < len(parts) - 1)
    else:
        parts = [text.rstrip('\n') + '\n\n' if text else '', table]
    if before and not says(''.join(parts), {**before, approach: values}):
        raise UserError('--keep: the tables of %s are not written one below the other: give another file'
                        % path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with utils.replacing(path) as f:
        f.write(''.join(parts))


def says(text, values):
    """Return whether a text is TOML of some values."""
    toml = config.toml('--keep')
    try:
        return toml.loads(text) == values
    except toml.TOMLDecodeError:
        return False


def held_out(args):
    """Raise UserError where the validation data of an experiment are its training data."""
    loader = build.experiment(args.experiment, args.data_dir, args.image_size)
    share = build.held_out(loader, args)
    same = share == 0
    if share is None:  # its file does not say
        data, taskcla, _ = build.load_data(loader, args)
        sets = [(data[t]['train'], data[t]['valid']) for t, _ in taskcla]
        same = any(train is valid or train['y'] is valid['y'] for train, valid in sets)
    if same:
        raise UserError('--keep: %s validates on its training data, by which nothing can be chosen: give '
                        '--pc-valid, as in -- --pc-valid 0.1' % args.experiment)
