"""One data set again and again, each time rotated by another angle: --experiment rotated:<name>:<ntasks>."""
import numpy as np

from dataloaders import common, raw

form = ('name', 'ntasks')
examples = 'rotated:mnist:10',
network = common.network


def get(seed=0, fixed_order=False, pc_valid=0.10, tasks=None, data_dir=None, name=None, ntasks=None,
        angles='drawn', image_size=None):
    """Return (data, taskcla, size); angles of 0 to 180 degrees, 'drawn' or, if 'even' or of a fixed order,
    rising in equal steps from 0."""
    rising = fixed_order or angles == 'even'
    drawn = np.random.RandomState(seed).uniform(0, 180, ntasks)
    degrees = np.arange(ntasks) * 180 / ntasks if rising else drawn
    everything = [common.Task('rotated-%s-%d-by-%d' % (name, i, round(a)), name, angle=float(a))
                  for i, a in enumerate(degrees)]
    chosen, arrays = common.choose(everything, range(ntasks), tasks), raw.load(name, data_dir, image_size)
    return common.build(chosen, None, seed, pc_valid, data_dir, {name: arrays})
