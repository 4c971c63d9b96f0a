"""Split glyphs: characters 0-9 and A-Z in six tasks of six, made on the spot, for first steps and offline."""
from dataloaders import common, glyphset

network = 'mlp'
TASKS = [common.Task('glyphs-' + glyphset.CHARACTERS[i:i + 6], 'glyphs', range(i, i + 6))
         for i in range(0, 36, 6)]


def get(seed=0, fixed_order=False, pc_valid=0.10, tasks=None, data_dir=None):
    """Return (data, taskcla, size); the order is always the same, the seed gives the validation share."""
    return common.build(common.choose(TASKS, range(len(TASKS)), tasks), [1, 28, 28], seed, pc_valid, data_dir)
