"""A walk through continual learning: train, look at the accuracy matrix, at HAT's masks, and at what is forgotten.

    python scripts/walk.py

The cells (# %%) also run one by one in VS Code, or in Jupyter with jupytext. No data are needed. It takes some two
minutes of one core. Pictures and results are in res/walk (WALK_FOLDER); WALK_OPTIONS are further options of run.py.
"""
# %% [markdown]
# # Setting up
# `train` is `python src/run.py ...` and returns the accuracy matrix. `draw` is `python src/plot_results.py ...`.

# %%
import os
import sys
from pathlib import Path

HERE = Path(globals().get('__file__', 'walk.py')).resolve()
PROJECT = next(p for p in HERE.parents if (p / 'src' / 'run.py').is_file())
sys.path.insert(0, str(PROJECT / 'src'))

import run
from dataloaders import raw
from results import canvas, measures, model_figures, plots

FOLDER = PROJECT / os.environ.get('WALK_FOLDER', 'res/walk')
OPTIONS = os.environ.get('WALK_OPTIONS', '--nepochs 8').split()


def train(approach, *options):
    """Train an approach on the six tasks of glyphs and return its accuracy matrix."""
    output = FOLDER / ('glyphs_%s_0.txt' % approach)
    return run.main(['--experiment', 'glyphs', '--approach', approach, '--output', str(output), '--overwrite',
                     *OPTIONS, *options])


def show(name, draw):
    """Save a picture that draw(page) fills, and show it in a notebook."""
    canvas.show(draw, FOLDER / name)
    if 'ipykernel' in sys.modules:
        from IPython.display import Image, display
        display(Image(FOLDER / name))


def draw(figure, *approaches, **more):
    """Print the table of a figure of results, and show the figure."""
    table, page = plots.compute(plots.Query(figure, 'glyphs', approaches, (FOLDER,), **more))
    print(table.text('markdown'))
    show(figure + ''.join('_' + a for a in approaches) + '.png', page)


# %% [markdown]
# # The tasks
# The characters 0-9 and A-Z in six tasks of six. A network learns one task after another, and never sees old images again.

# %%
glyphs = raw.load('glyphs')
first = [int((glyphs['y_train'] == label).argmax()) for label in range(36)]
titles = [['task %d' % (label // 6), 'class %d' % (label % 6)] for label in range(36)]
show('tasks_images.png', lambda page: model_figures.sheet(page, glyphs['x_train'][first], titles))

# %% [markdown]
# # Fine-tuning forgets
# Row t of the matrix is after task t, column u is the accuracy on task u. Below the diagonal are the old tasks.

# %%
sgd = train('sgd')
draw('matrix', 'sgd')
print('Forgetting of fine-tuning: %.1f points' % (100 * measures.forgetting(sgd)))

# %% [markdown]
# # HAT does not
# `hat-test` is HAT that also records its masks: for each task, which units it uses. Later tasks cannot change them.

# %%
log = FOLDER / 'masks.pkz'
hat = train('hat-test', '--parameter', '0.75,400,%s' % log)
draw('matrix', 'hat-test')
print('Forgetting of HAT: %.1f points' % (100 * measures.forgetting(hat)))

# %% [markdown]
# # The masks
# A column is a task, a row is a unit of a layer. Dark units are used. Then: how much of each layer the tasks use.

# %%
draw('masks', logs=(str(log),))
draw('capacity', logs=(str(log),))

# %% [markdown]
# # Two other ideas
# EWC holds important weights near their old values. Experience replay (ER) keeps a few old images and trains on them.

# %%
train('ewc')
train('er', '--buffer-size', '200')

# %%
draw('bars', 'sgd', 'ewc', 'er', 'hat-test')
draw('tasks', 'sgd', 'ewc', 'er', 'hat-test')

# %% [markdown]
# # What next
# `python src/run.py --help`; other seeds and longer runs; `src/approaches/readme.md`, to write a method of your own.
