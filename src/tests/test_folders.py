"""Folders of image files: the layouts there are, what is kept of them, and that all commands make them alike."""
import json
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import evaluate
import export
import predict
import run
import utils
from dataloaders import pictures, raw
from networks import cut
from results import records
from runs import build, options, saved
from synthetic import said
from utils import UserError


def picture(c, seed, size=(40, 30), mode='RGB'):
    """An image of class c: its colour or brightness, with noise."""
    rs, shade = np.random.RandomState(seed), np.random.RandomState(1000 + c).randint(40, 216, 3)
    x = shade + rs.randint(-40, 40, (size[1], size[0], 3))
    return Image.fromarray(x.astype(np.uint8)).convert(mode)


def filled(folder, names, n=6, mode='RGB', suffix='.png'):
    """Write n images of many sizes into <folder>/<name>/ of each name; return the folder."""
    for c, name in enumerate(names):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(n):
            size = 20 + 7 * (i % 5) + c, 24 + 11 * (i % 3)
            picture(c, i + 100 * c, size, mode).save(folder / name / ('%s-%d%s' % (name, i, suffix)))
    return folder


@pytest.fixture
def signs(tmp_path):
    """A folder of four classes with 12 files each to train on and 5 to test."""
    filled(tmp_path / 'signs' / 'train', ['stop', 'yield', 'left', 'right'], 12)
    filled(tmp_path / 'signs' / 'test', ['stop', 'yield', 'left', 'right'], 5)
    return tmp_path / 'signs'


def test_a_folder_is_a_data_set(signs):
    arrays = raw.load('signs', signs.parent)
    assert arrays['x_train'].shape == (48, 32, 32, 3) and arrays['class_names'].tolist() == ['left', 'right', 'stop', 'yield']
    assert np.bincount(arrays['y_train']).tolist() == [12] * 4 and np.bincount(arrays['y_test']).tolist() == [5] * 4
    assert arrays['note'] == ('signs: 48 images to train on and 20 to test, of 4 classes; shorter side 32, middle cut (--image-size)')
    for c, name in enumerate(arrays['class_names']):  # in the order of their names
        files = sorted((signs / 'test' / name).iterdir())
        for x, path in zip(arrays['x_test'][arrays['y_test'] == c], files):
            assert (pictures.read(path, (32, 32, 3), cut=True)[0] == x).all()


def test_the_middle_is_cut_in_its_proportions(tmp_path):
    x = np.zeros((60, 100, 3), np.uint8)
    x[:, 20:80] = 200  # the middle square
    Image.fromarray(x).save(tmp_path / 'x.png'), Image.fromarray(x).transpose(Image.Transpose.ROTATE_90).save(tmp_path / 'y.png')
    for name in 'xy':
        assert (pictures.read(tmp_path / (name + '.png'), (30, 30, 3), cut=True)[0][1:-1, 1:-1] == 200).all()
        assert (pictures.read(tmp_path / (name + '.png'), (30, 30, 3))[0] == 0).any()
    assert (pictures.read(tmp_path / 'x.png', (60, 100, 3), cut=True)[0] == x).all()
    wide = np.asarray(Image.fromarray(x).resize((50, 30), Image.Resampling.BILINEAR))[:, 10:40]
    assert abs(pictures.read(tmp_path / 'x.png', (30, 30, 3), cut=True)[0].astype(int) - wide).max() <= 1
    for w, h in np.random.RandomState(0).randint(1, 400, (60, 2)):
        for side in (7, 32):
            assert pictures.fitted(Image.new('L', (w, h), 9), (side, side, 3), True).shape == (side, side, 3)


@pytest.mark.parametrize('mode, channels', [('L', ()), ('1', ()), ('P', (3,)), ('RGB', (3,)), ('RGBA', (3,))])
def test_a_folder_is_grey_if_all_its_images_are(mode, channels, tmp_path):
    filled(tmp_path / 'f', ['a', 'b'], mode=mode)
    assert raw.load('f', tmp_path)['x_train'].shape[1:] == (32, 32, *channels)
    if mode == 'L':
        for path in sorted((tmp_path / 'f').rglob('*.png')):
            image = Image.open(path)
            colour, grey = (pictures.fitted(image, shape, True) for shape in ((17, 17, 3), (17, 17)))
            assert (colour == grey[..., None]).all()  # so that it does not matter which of both is made first
        picture(0, 5).save(tmp_path / 'f' / 'a' / 'colour.png')
        assert raw.load('f', tmp_path)['x_train'].shape[1:] == (32, 32, 3)


def test_without_a_test_part_a_share_is_one_and_that_is_said(tmp_path):
    filled(tmp_path / 'f', ['10', '9', 'a'], 10)
    (tmp_path / 'f' / 'a' / 'deep' / 'er').mkdir(parents=True)
    (tmp_path / 'f' / 'a' / 'a-0.png').rename(tmp_path / 'f' / 'a' / 'deep' / 'er' / 'x.PNG')
    shutil.copy(tmp_path / 'f' / 'a' / 'a-1.png', tmp_path / 'f' / 'loose.png')
    (tmp_path / 'f' / 'a' / '.hidden.png').write_text('x')
    (tmp_path / 'f' / 'a' / 'notes.txt').write_text('x')
    (tmp_path / 'f' / 'a' / 'again').symlink_to(tmp_path / 'f' / 'a')
    arrays = raw.load('f', tmp_path)
    assert np.bincount(arrays['y_train']).tolist() == [8] * 3 and np.bincount(arrays['y_test']).tolist() == [2] * 3
    assert 'one image in 5 of each class is tested on' in arrays['note'] and '1 images in no folder of a class left out (loose.png' in arrays['note']
    (tmp_path / 'f' / '.cache-32.npz').unlink()
    assert raw.sha256(raw.load('f', tmp_path)) == raw.sha256(arrays)
    shutil.rmtree(tmp_path / 'f' / 'a')
    assert raw.load('f', tmp_path)['class_names'].tolist() == ['9', '10']  # by number


def test_tinyimagenet_s_list_says_of_what_class_its_validation_files_are(tmp_path):
    folder = tmp_path / 'tiny'
    for name in ('n01', 'n02'):
        filled(folder / 'train' / name, ['images'], 4, suffix='.JPEG')
        filled(folder / 'tmp', [name], 3)
    lines = []
    for part in ('val', 'test'):
        (folder / part / 'images').mkdir(parents=True)
    for i, path in enumerate(sorted((folder / 'tmp').rglob('*.png'))):
        shutil.copy(path, folder / 'test' / 'images' / path.name), path.rename(folder / 'val' / 'images' / ('val_%d.JPEG' % i))
        lines.append('val_%d.JPEG\t%s\t0\t0\t62\t62' % (i, path.parent.name))
    (folder / 'val' / 'val_annotations.txt').write_text('\n'.join(lines))
    arrays = raw.load('tiny', tmp_path, 64)
    assert arrays['x_train'].shape == (8, 64, 64, 3) and arrays['class_names'].tolist() == ['n01', 'n02']
    assert arrays['y_test'].tolist() == [0] * 3 + [1] * 3 and 'tested on val/, not test/' in arrays['note']


def test_a_table_of_labels_is_read(tmp_path):
    folder = filled(tmp_path / 'f', ['x', 'y'], 5)
    rows = [('x/x-%d.png' % i, 'Käse', 'train') for i in range(4)] + [('y/y-%d.png' % i, 'Brot, hell', 'train') for i in range(3)]
    rows += [('x/x-4.png', 'Käse', 'test'), ('y/y-4.png', 'Brot, hell', 'test'), ('y/y-3.png', 'Käse', 'val')]
    text = '\n'.join('%s,"%s",%s' % row for row in rows)
    (folder / 'labels.csv').write_text('file,label,split\n' + text, 'utf-8')
    arrays = raw.load('f', tmp_path)
    assert arrays['class_names'].tolist() == ['Brot, hell', 'Käse'] and arrays['y_train'].tolist() == [1] * 4 + [0] * 3
    assert arrays['y_test'].tolist() == [1, 0] and '1 rows of labels.csv that are neither train nor test left out' in arrays['note']
    (folder / 'labels.csv').write_text('label,file\n' + '\n'.join('"%s",%s' % (row[1], row[0]) for row in rows[:7]))
    arrays = raw.load('f', tmp_path)
    assert (len(arrays['y_train']), len(arrays['y_test'])) == (5, 2)


@pytest.mark.parametrize('text, says', [
    ('a,b\n1,2', 'it has the columns a,b'), ('file,label\nx/x-0.png,', 'line 2: x/x-0.png,'), ('file,label\n../x.png,a', 'within the folder'),
    ('file,label\n/etc/passwd,a', 'within the folder'), ('file,label\nx/gone.png,a', 'line 2: x/gone.png,a'), ('\xff\xfe', 'labels.csv'),
    ('file,label,split\nx/x-0.png,a,dev', "the split 'dev', expected train, test or val"), ('file,label,split\nx/x-0.png,a,test', 'has no images')])
def test_tables_that_are_not_right_are_refused(text, says, tmp_path, refused):
    folder = filled(tmp_path / 'f', ['x'], 2)
    (folder / 'labels.csv').write_bytes(text.encode('latin1'))
    assert says in refused(run.main, ['--experiment', 'split:f:2', '--approach', 'sgd', '--data-dir', tmp_path])


def test_files_are_read_once_until_one_of_them_changes(signs, monkeypatch):
    first, cache = raw.load('signs', signs.parent), signs / '.cache-32.npz'
    assert cache.exists()
    with monkeypatch.context() as m:
        m.setattr(pictures, 'opened', lambda path: pytest.fail('read again'))
        again = raw.load('signs', signs.parent)
        assert again.keys() == first.keys() and all((np.asarray(again[k]) == first[k]).all() for k in first)
        assert raw.shape('signs', signs.parent) == [3, 32, 32]
    path = signs / 'train' / 'stop' / 'stop-0.png'
    picture(3, 77, (33, 44)).save(path)
    assert raw.sha256(raw.load('signs', signs.parent)) != raw.sha256(first)
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 10 ** 9))
    cache.write_bytes(cache.read_bytes()[:500])  # broken
    path.rename(path.with_name('zz.png'))
    assert raw.load('signs', signs.parent)['class_names'].tolist() == ['left', 'right', 'stop', 'yield']
    path.with_name('zz.png').unlink()
    assert len(raw.load('signs', signs.parent)['y_train']) == 47
    assert raw.load('signs', signs.parent, 20)['x_test'].shape[1:] == (20, 20, 3) and (signs / '.cache-20.npz').exists()


def test_of_a_folder_that_cannot_be_written_the_images_are_kept_elsewhere(signs, tmp_path, monkeypatch):
    monkeypatch.setattr(utils, 'ROOT', tmp_path / 'project')
    (signs / '.cache-32.npz').mkdir()  # in whose place no file can be put, even by root
    first = raw.load('signs', signs.parent)
    assert [f.name.split('-')[0] for f in (tmp_path / 'project' / 'dat' / '.cache').iterdir()] == ['signs']
    monkeypatch.setattr(pictures, 'opened', lambda path: pytest.fail('read again'))
    assert raw.sha256(raw.load('signs', signs.parent)) == raw.sha256(first)
    shutil.rmtree(tmp_path / 'project'), (tmp_path / 'project').write_text('no folder')
    monkeypatch.undo(), monkeypatch.setattr(utils, 'ROOT', tmp_path / 'project')
    with pytest.raises(UserError, match='can be written'):
        raw.load('signs', signs.parent)


def test_broken_files_are_named_counted_and_left_out(signs):
    (signs / 'train' / 'stop' / 'stop-3.png').write_bytes(b'no image')
    path = signs / 'test' / 'left' / 'left-1.png'
    path.write_bytes(path.read_bytes()[:300])
    for _ in range(2):  # read, and as kept
        arrays = raw.load('signs', signs.parent)
        assert '2 broken files left out: test/left/left-1.png is no image (' in arrays['note']
        assert 'train/stop/stop-3.png is no image (UnidentifiedImageError)' in arrays['note']
        assert len(arrays['y_train']) == 47 and np.bincount(arrays['y_test']).tolist() == [4, 5, 5, 5]


def test_images_are_turned_as_their_exif_says(tmp_path):
    folder = filled(tmp_path / 'f', ['a', 'b'])
    x = np.zeros((40, 40), np.uint8)
    x[:10] = 255
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = 3
    Image.fromarray(x).save(folder / 'a' / 'zz.png', exif=exif)
    arrays = raw.load('f', tmp_path, 40)
    images = np.concatenate([arrays['x_train'], arrays['x_test']])
    assert (images == np.flipud(x)[..., None]).all((1, 2, 3)).any() and not (images == x[..., None]).all((1, 2, 3)).any()


def test_an_npz_of_one_s_own_wins_and_that_is_said(signs):
    rs = np.random.RandomState(0)
    x, y = rs.randint(0, 256, (8, 6, 6)).astype(np.uint8), np.arange(8) % 4
    np.savez(signs.parent / 'signs.npz', x_train=x, y_train=y, x_test=x, y_test=y)
    arrays = raw.load('signs', signs.parent)
    assert arrays['x_train'].shape == (8, 6, 6) and 'signs.npz is read, not the folder' in arrays['note']
    assert raw.shape('signs', signs.parent) == [1, 6, 6] and not (signs / '.cache-32.npz').exists()


def test_a_folder_named_as_a_set_of_the_table_is_not_read(data_dir):
    filled(data_dir / 'mnist' / 'train', ['a', 'b'])
    arrays = raw.load('mnist', data_dir)
    assert arrays['x_train'].shape == (200, 28, 28) and 'not the folder' in arrays['note'] and 'another name' in arrays['note']


@pytest.mark.parametrize('change, argv, says', [
    (lambda f: None, ['split:mnist:2', '--image-size', '16'], '--image-size: mnist is no folder of images'),
    (lambda f: None, ['glyphs', '--image-size', '16'], '--image-size: the experiment glyphs is not of a folder'),
    (lambda f: filled(f / 'test', ['odd']), ['split:signs:2'], 'test/ has the class odd, which train/ has not'),
    (lambda f: shutil.rmtree(f / 'test' / 'left'), ['split:signs:4', '--scenario', 'class'], 'no test images of the classes of signs-0-0'),
    (lambda f: [shutil.rmtree(f / 'test'), shutil.rmtree(f / 'train'), (f / 'train').mkdir()], ['split:signs:2'], 'it has no images'),
    (lambda f: [p.write_text('x') for p in (f / 'train' / 'left').iterdir()], ['split:signs:2'], 'no image of the class left can be read')])
def test_folders_that_cannot_be_used_are_refused(change, argv, says, signs, data_dir, refused):
    change(signs)
    shutil.move(signs, data_dir / 'signs')
    assert says in refused(run.main, ['--experiment', *argv, '--approach', 'sgd', '--data-dir', data_dir])


@pytest.mark.parametrize('name', ['permuted:signs:2', 'rotated:signs:2', 'split:signs:3+1'])
def test_every_form_takes_folders(name, signs):
    args, _ = options.parse(['--experiment', name, '--approach', 'sgd', '--data-dir', str(signs.parent), '--image-size', '12'])
    data, taskcla, size = build.load_data(build.experiment(name, signs.parent, 12), args)
    assert size == [3, 12, 12] and len(taskcla) == 2 and 'shorter side 12' in data['note']
    assert data[1]['class_names'] == (['yield'] if 'split' in name else ['left', 'right', 'stop', 'yield'])


def test_run_predict_and_export_make_the_same_of_a_file(signs, tmp_path, capsys):
    output = tmp_path / 'o.txt'
    argv = ['--experiment', 'split:signs:2', '--approach', 'sgd', '--network', 'mlp', '--net', 'nhid=30', '--nepochs', '3', '--device', 'cpu',
            '--data-dir', str(signs.parent), '--image-size', '16', '--save', '--output', str(output)]
    matrix = run.main(argv)
    assert 'shorter side 16' in capsys.readouterr().out and records.read_record(output)['config']['image_size'] == 16
    data = saved.Model(output).data()[0]
    for t, names in enumerate((['left', 'right'], ['stop', 'yield'])):
        files = [str(f) for name in names for f in sorted((signs / 'test' / name).iterdir())]
        assert predict.main([str(output), *files, '--task', str(t), '--json']) == 0
        found = json.loads(capsys.readouterr().out)
        right = [f['top'][0]['class'] == f['file'].split('/')[-2] for f in found]
        assert np.float32(np.mean(right)) == matrix[1, t]
        shape, pixels = saved.Model(output).pixels(t)
        x = torch.from_numpy(np.stack([pictures.read(f, shape, pixels.cut)[0] for f in files]))
        assert pixels.cut and torch.equal(pixels(x), data[t]['test']['x'])
        likeliest = said(saved.Model(output).appr, t, data[t]['test']['x']).softmax(1).max(1).values
        assert [f['top'][0]['probability'] for f in found] == [round(float(p), 6) for p in likeliest]
        assert torch.allclose(cut.Preprocessing(pixels)(x.permute(0, 3, 1, 2) / 255), data[t]['test']['x'], atol=1e-6)
    assert evaluate.main([str(output)]) == 0 and 'The row of the record is the same' in capsys.readouterr().out
    assert export.main([str(output), '--task', '1', '--output', str(tmp_path / 'x.pt2')]) == 0
    assert 'predictions agree on 100.00%' in capsys.readouterr().out
    run.main([*argv, '--resume'])
    assert 'Finished already' in capsys.readouterr().out
