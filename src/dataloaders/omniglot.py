"""Omniglot (Lake, Salakhutdinov & Tenenbaum, Science 2015): its 50 alphabets, a task each of 14 to 55
characters, of which 16 drawings are trained on and 4 tested."""
import re

from dataloaders import common, raw

network = 'mlp'
NTASKS = 50


def get(seed=0, fixed_order=False, pc_valid=0.10, tasks=None, data_dir=None):
    """Return (data, taskcla, size); the order is that of the alphabets' names, the seed gives the validation
    share."""
    arrays, alphabets = raw.load('omniglot', data_dir), {}
    for c, name in enumerate(raw.describe('omniglot', arrays).class_names):
        alphabets.setdefault(name.split('/')[0], []).append(c)
    everything = [common.Task('omniglot-' + re.sub(r'[^\w-]', '', name), 'omniglot', tuple(classes))
                  for name, classes in alphabets.items()]
    chosen = common.choose(everything, range(len(everything)), tasks)
    return common.build(chosen, None, seed, pc_valid, data_dir, {'omniglot': arrays})
