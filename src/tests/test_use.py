"""Using a saved model: image files told, one task's network exported."""
import importlib.util
import json
import re
import struct

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import export
import predict
import run
from dataloaders import raw
from dataloaders.pictures import ORIENTATION, read
from runs import launch, saved
from learning import evaluation
from networks import cut
from synthetic import said
from test_foreign import dropped  # noqa: F401 a fixture
from test_saved import tidy, trained  # noqa: F401 a fixture

ALEX = ['--experiment', 'split:cifar10:3', '--nepochs', '1', '--network', 'alexnet', '--tasks', '2,0,1']


def logits(net, x):
    """The logits of a network for images of bytes, [N,h,w] or [N,h,w,3]."""
    x = torch.from_numpy(x).float().div(255)
    with torch.no_grad():
        return net(x[:, None] if x.dim() == 3 else x.permute(0, 3, 1, 2))


@pytest.mark.parametrize('kind, steep, after', [  # masks are folded in, too, where they are not binary: steep
    ('mlp', None, 0), ('mlp', None, 2), ('mlp', 3., 2), ('alexnet', None, 0), ('alexnet', 3., 2)])
def test_the_network_that_hat_s_mask_cuts_out_is_the_masked_network(kind, steep, after, tmp_path, data_dir, one_thread):
    output = trained(tmp_path, data_dir, 'hat', *(ALEX if kind == 'alexnet' else []))
    model = saved.Model(output, after)
    if steep:
        model.appr.smax = steep
    data, _, _ = model.data(data_dir)
    for t in {0, after}:
        split = data[t]['test']
        wanted, bytes_ = said(model.appr, t, split['x']), split.source[split.rows]
        masks = [m.flatten() for m in model.appr.model.mask(model.appr.task(t), s=model.appr.smax)]
        least = .2 if steep else .01
        pre = cut.Preprocessing(model.pixels(t)[1])
        weights = model.appr.weights_of(t)
        whole, part = (torch.nn.Sequential(pre, cut.network(model.appr.model, t, weights, None, masks, k)) for k in (None, least))
        assert torch.allclose(logits(whole, bytes_), wanted, atol=2e-5)
        assert [m.weight.shape[0] for m in part[1].maps] == [max(1, int((m >= least).sum())) for m in masks]
        if steep:  # what is left out has been multiplied by something
            for m, e in zip(masks, model.appr.model.embeddings()):
                with torch.no_grad():
                    e[t, m < least] = -1e9
            wanted = said(model.appr, t, split['x'])
        else:
            assert all((m < least).any() for m in masks)
        assert torch.allclose(logits(part, bytes_), wanted, atol=1e-3 if not steep else 2e-5)


@pytest.mark.parametrize('approach', ['sgd', 'lfl', 'packnet', 'independent', 'progressive', 'pathnet', 'hat', 'wsn', 'gpm'])
def test_a_file_of_any_approach_computes_without_the_project(approach, tmp_path, data_dir, capsys, one_thread):
    output = trained(tmp_path, data_dir, approach)
    capsys.readouterr()
    assert export.main([str(output), '--task', '1', '--output', str(tmp_path / 't.pt2')]) == 0
    printed = capsys.readouterr().out
    assert 'agree on 100.00%' in printed and 'Images per second' in printed and 'Weights: ' in printed
    program, model = torch.export.load(tmp_path / 't.pt2').module(), saved.Model(output)
    split = model.data(data_dir)[0][1]['test']
    wanted = said(model.appr, 1, split['x'])
    for n in (1, 5):
        assert torch.allclose(logits(program, split.source[split.rows][:n]), wanted[:n], atol=1e-3)


def test_a_gated_resnet_becomes_a_smaller_plain_one(tmp_path, data_dir, capsys, one_thread):
    output = trained(tmp_path, data_dir, 'hat', '--network', 'resnet18', '--net', 'maps=3', '--binary', 'on', '--tasks', '0,1')
    capsys.readouterr()
    assert export.main([str(output), '--task', '1', '--output', str(tmp_path / 't.pt2')]) == 0
    printed = capsys.readouterr().out
    part, whole = map(int, re.search(r'Weights: (\d+) of (\d+)', printed).groups())
    assert 'agree on 100.00%' in printed and part < .8 * whole
    assert float(printed.split('largest difference of logits ')[1].split()[0]) < 1e-3


def as_command(main):
    """A script's main as a command."""
    return lambda argv: launch.script(lambda: main([str(a) for a in argv]), 'script.py')


@pytest.mark.parametrize('approach, network, scenario', [
    ('hat', 'residual', 'task'), ('hat', 'normed', 'class'), ('sgd-frozen', 'normed', 'domain'), ('packnet', 'normed', 'class'),
    ('independent', 'normed', 'task'), ('sgd', 'skipping', 'task')])
@pytest.mark.filterwarnings('ignore:HAT')
def test_a_network_of_one_s_own_is_exported_whole(approach, network, scenario, dropped, tmp_path, data_dir, capsys, one_thread):
    output = trained(tmp_path, data_dir, approach, '--network', network, '--scenario', scenario)
    assert export.main([str(output), '--task', '1', '--output', str(tmp_path / 't.pt2')]) == 0
    assert 'predictions agree on 100.00%' in capsys.readouterr().out
    program, model = torch.export.load(tmp_path / 't.pt2').module(), saved.Model(output)
    split = model.data(data_dir)[0][1]['test']
    assert torch.allclose(logits(program, split.source[split.rows]), model.logits(1, split['x']), atol=1e-5)


def test_exports_that_cannot_be_are_refused(tmp_path, data_dir, refused, capsys):
    output = trained(tmp_path, data_dir, 'sgd')
    capsys.readouterr()
    assert 'before this one was learnt' in refused(export.main, [output, '--task', '2', '--after', '0'])
    assert '.pt2' in refused(export.main, [output, '--task', '0', '--output', 'x.txt'])
    if importlib.util.find_spec('onnx') is None:
        with pytest.raises(SystemExit):
            as_command(export.main)([output, '--task', '0', '--output', tmp_path / 'x.pt2', '--onnx', tmp_path / 'x.onnx'])
        assert 'pip install onnx' in capsys.readouterr().err


def test_onnx_computes_the_same(tmp_path, data_dir, capsys):
    for package in ('onnx', 'onnxscript', 'onnxruntime'):
        pytest.importorskip(package)
    output = trained(tmp_path, data_dir, 'hat')
    assert export.main([str(output), '--task', '1', '--output', str(tmp_path / 'x.pt2'), '--onnx', str(tmp_path / 'x.onnx')]) == 0
    found = capsys.readouterr().out.split('onnxruntime: largest difference of logits ')[1]
    assert float(found.split()[0]) < 1e-4


@pytest.fixture
def pictures(tmp_path, data_dir):
    """A folder of image files of the test set, grey and in colour, and their pixels."""
    folder, x = tmp_path / 'pictures', raw.load('mnist', data_dir)['x_test'][:4]
    folder.mkdir()
    for i, image in enumerate(x):
        Image.fromarray(image).convert('RGB' if i % 2 else 'L').save(folder / ('%d.png' % i))
    return folder, x


def test_image_files_are_told_as_the_network_tells_them(tmp_path, data_dir, pictures, capsys):
    output, (folder, x) = trained(tmp_path, data_dir, 'hat'), pictures
    model = saved.Model(output)
    seen = model.pixels(1)[1](torch.from_numpy(x))
    p = said(model.appr, 1, seen).softmax(1)
    capsys.readouterr()
    assert predict.main([str(output), str(folder), '--task', 'mnist-6-7', '--top', '2', '--json', '--sheet', str(tmp_path / 's.png')]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [f['file'].split('/')[-1] for f in found] == ['0.png', '1.png', '2.png', '3.png'] and (tmp_path / 's.png').stat().st_size > 3000
    for i, f in enumerate(found):
        k = int(p[i].argmax())
        assert f['task'] == 'mnist-6-7' and [c['class'] for c in f['top']] == [str(6 + k), str(7 - k)]
        assert f['top'][0]['probability'] == pytest.approx(p[i, k].item(), abs=1e-5)
        assert f['converted'] == (['RGB to L'] if i % 2 else [])
    assert predict.main([str(output), str(folder / '0.png')]) == 0
    printed, z = capsys.readouterr().out, [said(model.appr, u, seen[:1]) for u in range(3)]
    u = int(torch.stack([v.max() for v in z]).argmax())
    assert 'the task is inferred' in printed and '| predicted |' in printed and '| %s | %s' % (model.names[u], model.classes(u)[int(z[u].argmax())]) in printed


@pytest.mark.parametrize('approach, scenario', [('sgd', 'task'), ('er', 'class'), ('hat', 'class'), ('sgd', 'domain'), ('hat', 'domain')])
def test_predictions_are_what_the_tests_count_where_the_task_is_not_told(approach, scenario, tmp_path, data_dir, pictures, capsys):
    output, (folder, x) = trained(tmp_path, data_dir, approach, '--scenario', scenario), pictures
    model = saved.Model(output)
    capsys.readouterr()
    assert predict.main([str(output), str(folder), '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    if scenario == 'task':  # the head with the largest logit
        z = [said(model.appr, u, model.pixels(0)[1](torch.from_numpy(x))) for u in range(3)]
        best = torch.stack([v.max(1).values for v in z]).argmax(0).tolist()
        assert [(f['task'], f['top'][0]['class']) for f in found] == [
            (model.names[u], model.classes(u)[int(z[u][i].argmax())]) for i, u in enumerate(best)]
        return
    told = evaluation.told(model.appr, 0, model.pixels(0)[1](torch.from_numpy(x))).tolist()
    names = [c for t in range(3) for c in model.classes(t)]
    expected = [names[k] for k in told] if scenario == 'class' else [
        (model.classes(0) if f['task'] is None else model.classes(model.names.index(f['task'])))[k] for k, f in zip(told, found)]
    assert [f['top'][0]['class'] for f in found] == expected


def test_what_is_no_image_is_named_and_left_out(tmp_path, data_dir, pictures, refused, capsys):
    output, (folder, _) = trained(tmp_path, data_dir, 'sgd'), pictures
    (folder / 'broken.png').write_bytes((folder / '0.png').read_bytes()[:60])
    capsys.readouterr()
    assert predict.main([str(output), str(folder), '--task', '0']) == 1
    printed = capsys.readouterr()
    assert 'broken.png is no image' in printed.err and printed.out.count('.png |') == 4
    empty = tmp_path / 'empty'
    empty.mkdir()
    assert 'has no images' in refused(predict.main, [output, empty])
    assert 'is not there' in refused(predict.main, [output, tmp_path / 'x.png'])
    for f in folder.iterdir():
        f.write_bytes(b'no')
    with pytest.raises(SystemExit) as e:
        as_command(predict.main)([output, folder])
    assert e.value.code == 2 and 'none of the 5 files is an image' in capsys.readouterr().err
    assert 'run it with --save' in refused(predict.main, [unsaved(tmp_path, data_dir, capsys), folder])


def sixteen(x, factor=257):
    """An image of 16 bits."""
    return Image.fromarray((x.astype(np.int64) * factor).astype(np.uint16))


def transparent(x, mode):
    """An image of which what is dark is transparent, so that it looks the same in front of black."""
    alpha = Image.fromarray(np.where(x < 40, 0, 255).astype(np.uint8))
    image = Image.fromarray(np.where(x < 40, 200, x).astype(np.uint8)).convert('L' if mode == 'LA' else 'RGB')
    image.putalpha(alpha)
    return image


def with_orientation(x, number):
    """(an image stored as its EXIF orientation says, save's options)."""
    exif = Image.Exif()
    exif[ORIENTATION] = number
    back = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    return Image.fromarray(x).transpose(back[number]), {'exif': exif}


def test_pictures_of_every_kind_are_told_as_those_of_8_bits_are(tmp_path, data_dir, capsys):
    output, folder = trained(tmp_path, data_dir, 'sgd'), tmp_path / 'kinds'
    folder.mkdir()
    x = np.where(raw.load('mnist', data_dir)['x_test'][3] < 40, 0, raw.load('mnist', data_dir)['x_test'][3])
    x[0, 0] = 255
    grey = Image.fromarray(x)
    kinds = {
        'a.png': (grey, {}, []), 'b.png': (sixteen(x), {}, ['16 bits to 8', 'I;16 to L']), 'c.tif': (sixteen(x, 256), {}, ['16 bits to 8', 'I;16 to L']),
        'd.pgm': (sixteen(x), {}, ['16 bits to 8', 'I to L']), 'e.tif': (Image.fromarray(x.astype(np.float32) / 255), {}, ['0..1 to 8 bits', 'F to L']),
        'f.png': (transparent(x, 'LA'), {}, ['put on black', 'LA to L']), 'g.webp': (transparent(x, 'RGBA'), {'lossless': True}, [
            'put on black', 'RGBA to L']), 'h.png': (grey.convert('P'), {}, ['P to L']),
        'i.png': (grey, {'transparency': 0}, ['put on black']), 'j.png': (*with_orientation(x, 6), ['turned']),
        'k.tif': (*with_orientation(x, 8), ['turned']), 'l.gif': (grey, {'save_all': True, 'append_images': [ImageOps.invert(grey)]}, [
            'the first of several frames']), 'm.bmp': (grey.convert('RGB'), {}, ['RGB to L']), 'n.ppm': (grey.convert('RGB'), {}, ['RGB to L']),
        'o.png': (with_orientation(x, 3)[0].convert('RGB'), with_orientation(x, 3)[1], ['turned', 'RGB to L'])}
    for name, (image, options, _) in kinds.items():
        image.save(folder / name, **options)
    for name, (_, _, said) in kinds.items():
        pixels, found = read(folder / name, [28, 28])
        assert (pixels == x).all() and [s for s in found if s != 'P to L' or said == ['P to L']] == said, name
    capsys.readouterr()
    assert predict.main([str(output), str(folder), '--task', '0', '--json']) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert len(found) == len(kinds) and all(f['top'] == found[0]['top'] for f in found) and not printed.err


def test_pictures_that_would_not_be_read_right_are_left_out(tmp_path, data_dir, capsys, recwarn):
    output, folder = trained(tmp_path, data_dir, 'sgd'), tmp_path / 'kinds'
    folder.mkdir()
    x = raw.load('mnist', data_dir)['x_test'][0]
    alpha = Image.fromarray(np.zeros_like(x)).convert('LA')
    alpha.putalpha(Image.fromarray(x))
    Image.fromarray(x).save(folder / 'good.png')
    for name, image, options in (('floats.tif', Image.fromarray(x.astype(np.float32)), {}), ('nan.tif', Image.fromarray(x / np.float32('nan')), {}),
                                 ('eight.png', sixteen(x, 1), {}), ('alpha.png', alpha, {}), ('long.tif', Image.fromarray(x.astype(np.int32) * 70000), {}),
                                 ('white.tif', sixteen(x), {'tiffinfo': {262: 0}})):
        image.save(folder / name, **options)
    for kind in ('eps', 'pcx'):
        Image.fromarray(x).save(folder / ('x.' + kind))
        (folder / ('x.' + kind)).rename(folder / (kind + '.png'))
    for name, side in (('large.bmp', 7100), ('bomb.bmp', 30000), ('warned.bmp', 10000)):
        Image.new('L', (4, 4)).save(folder / name)
        content = bytearray((folder / name).read_bytes())
        content[18:26] = struct.pack('<ii', side, side)
        (folder / name).write_bytes(content)
    capsys.readouterr()
    assert predict.main([str(output), str(folder), '--task', '0']) == 1
    printed = capsys.readouterr()
    says = {'floats.tif': 'expected 0..1', 'nan.tif': 'expected 0..1', 'eight.png': 'of which only 8 are used', 'alpha.png': 'in its transparency',
            'long.tif': 'expected 8 or 16 bits', 'white.tif': '0 is white', 'eps.png': 'is no image', 'pcx.png': 'is no image', 'large.bmp': 'more than 50 megapixels',
            'bomb.bmp': 'more than 50 megapixels', 'warned.bmp': 'more than 50 megapixels'}
    lines = {next(n for n in says if n in line): line for line in printed.err.splitlines()}
    assert all(says[n] in lines[n] for n in says) and printed.out.count('| good.png |') == 1 and printed.out.count('.png |') == 1
    assert not recwarn.list


def unsaved(folder, data_dir, capsys):
    """A result without a model."""
    run.main(['--experiment', 'smnist', '--approach', 'sgd', '--tasks', '0', '--data-dir', str(data_dir), '--nepochs', '1', '--net',
              'nhid=4,nlayers=1', '--device', 'cpu', '--output', str(folder / 'bare.txt')])
    capsys.readouterr()
    return folder / 'bare.txt'


def test_bytes_become_what_the_network_sees_in_an_exported_file_too():
    from dataloaders.images import Pixels
    images = np.random.RandomState(0).randint(0, 256, (3, 6, 6)).astype(np.uint8)
    pixels = Pixels((.3,), (.7,), (3, 8, 8), np.random.RandomState(1).permutation(36))
    assert torch.allclose(logits(cut.Preprocessing(pixels), images), pixels(torch.from_numpy(images)), atol=1e-6)
