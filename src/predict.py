"""Classifies image files with the saved model of a run.

    python src/predict.py res/glyphs_hat_0.json --task 0 images/ --top 3
"""
import json
import sys
from pathlib import Path

import utils
from approaches.hyper import Hyper
from dataloaders.pictures import SUFFIXES
from runs import launch, parsing
from utils import ROOT, UserError, visible


def build():
    """The parser."""
    parser = parsing.Parser(prog='predict.py', allow_abbrev=False,
                            description='Classifies image files with the saved model of a run '
                            '(run.py --save); exit status 1 if a file cannot be read as an image.')
    parser.add_argument('run', metavar='RUN', help='a result or its record')
    parser.add_argument('images', nargs='+', metavar='IMAGE|FOLDER', help='image files, or folders of them')
    parser.add_argument('--task',
                        help='the task that the images belong to, by name or number (default: inferred)')
    parser.add_argument('--after', type=Hyper('--after', int, 0, least=0).parse, metavar='T',
                        help='the model after task T '
                        '(default: the last)')
    parser.add_argument('--top', type=launch.whole('--top'), default=1, metavar='N',
                        help='the N likeliest classes (default %(default)s)')
    parser.add_argument('--json', action='store_true', help='print JSON instead of a table')
    parser.add_argument('--sheet', metavar='FILE',
                        help='draw the images with their predicted classes, .png or .pdf')
    parser.add_argument('--device', default='cpu', help='default %(default)s')
    return parser


def files(names):
    """The image files of files and folders. Raises UserError for what is not there, and for a folder without
    any."""
    out = []
    for name in names:
        path = ROOT / name if not Path(name).exists() else Path(name)
        if path.is_dir():
            there = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
            if not there:
                raise UserError('%s has no images (%s)' % (name, ', '.join(SUFFIXES)))
            out += there
        elif path.is_file():
            out.append(path)
        else:
            raise UserError('%s is %s' % (name, 'no file' if path.exists() else 'not there'))
    return out


def tell(model, x, t):
    """(the task of each of the images [N,C,H,W], number or None, and the probabilities [N,K] of the classes
    that compete, with their names, a list per image). t: the task, or None: it is inferred, as under the
    class scenario."""
    import torch
    from learning.evaluation import logits
    from learning.inference import Inferred
    from learning.scenario import Class
    appr, tasks = model.appr, [tuple(row) for row in model.about['taskcla']]
    if model.args.scenario == 'domain' and not appr.scenario.infers:
        z = logits(appr, 0, x)
        return [None] * len(x), z.softmax(1), [model.classes(0)] * len(x)
    if t is None and model.args.scenario == 'class' and not appr.scenario.infers:
        z = logits(appr, 0, x)
        firsts = model.scenario.firsts[:z.shape[1]]
        names = [model.classes(u)[label] for u, label in firsts]
        return [firsts[k][0] for k in z.argmax(1).tolist()], z.softmax(1), [names] * len(x)
    if t is None:
        infer = appr.scenario if appr.scenario.infers else Inferred('max-logit', Class(tasks))
        chosen = infer.choose(appr, x, appr.seen)[0].tolist()
    else:
        chosen = [t] * len(x)
    of = {u: model.logits(u, x).softmax(1) for u in set(chosen)}
    width = max(n for _, n in tasks)
    p = torch.stack([torch.nn.functional.pad(of[u][i], (0, width - len(of[u][i])))
                     for i, u in enumerate(chosen)])
    return chosen, p, [model.classes(u) for u in chosen]


def main(argv=None):
    """Runs a command line; returns the exit status."""
    import numpy as np
    import torch
    from dataloaders import pictures
    from results import canvas, model_figures
    from results.tables import Table
    from runs import machine, saved
    args = build().parse_args(argv)
    sheet, found = canvas.target(args.sheet), files(args.images)
    machine.prepare()
    model = saved.Model(args.run, args.after, args.device)
    t = None if args.task is None else model.learnt(args.task)
    shape, pixels = model.pixels(0 if t is None else t)
    if t is None and len({str(model.about['tasks'][u]['images']) for u in range(model.t + 1)}) > 1:
        raise UserError(
            'the tasks make their images in different ways (%s): give --task' % model.args.experiment)
    images, kept, wrong = [], [], []
    for path in utils.progress(found, 'Reading images'):
        try:
            image, said = pictures.read(path, shape, pixels.cut)
        except ValueError as e:
            wrong.append(str(e))
            continue
        images.append(image), kept.append((path, said))
    for text in wrong:
        print('predict.py: %s: left out' % visible(text), file=sys.stderr)
    if not images:
        raise UserError('none of the %d files is an image that can be used' % len(found))
    tasks, p, names = tell(model, pixels(torch.from_numpy(np.stack(images))), t)
    rows, out = [], []
    for (path, said), u, values, classes in zip(kept, tasks, p, names):
        best = torch.topk(values[:len(classes)], min(args.top, len(classes)))
        top = [(classes[k], float(v)) for k, v in zip(best.indices.tolist(), best.values)]
        task = None if u is None else model.names[u]
        out.append({'file': str(path), 'task': task,
                    'top': [{'class': c, 'probability': round(v, 6)} for c, v in top], 'converted': said})
        rows.append([path.name, task, ', '.join('%s %.1f%%' % (c, 100 * v) for c, v in top), ', '.join(said)
                     or None])
    if args.json:
        print(json.dumps(out, indent=1))
    else:
        print('%s, %s' % (visible(model.path), 'task %s' % visible(model.names[t]) if t is not None
                          else 'the task is inferred' if tasks[0] is not None
                          else 'one head for all tasks'))
        print(Table(['file', 'task', 'predicted', 'converted'], rows).text('markdown'))
    if sheet:
        canvas.show(lambda fig: model_figures.sheet(fig, images, [[r[0], r[2].split(',')[0]] for r in rows]),
                    sheet)
    return 1 if wrong else 0


if __name__ == '__main__':
    launch.script(main, 'predict.py')
