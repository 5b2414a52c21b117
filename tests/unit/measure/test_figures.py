import numpy as np
from PIL import Image, ImageDraw

from habeas.measure.figures import Clothes, bust, figure
from habeas.measure.heads import EYES_XY_PX, HEAD_SIZE_WH, Head


def test_a_bust_has_a_neck_in_the_colour_of_the_face_and_nothing_of_the_collar() -> None:
    image = Image.new("RGBA", HEAD_SIZE_WH, (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    pen.ellipse((50, 30, 190, 240), fill=(200, 100, 50, 255))
    pen.rectangle((80, 245, 160, 288), fill=(0, 0, 255, 255))
    pixels = np.asarray(bust(Head(np.array(image), np.zeros((5, 2), np.float32))))
    bottom = pixels[-8, round(EYES_XY_PX[0])].astype(int)
    assert bottom[3] > 250
    assert bottom[0] > bottom[1] > bottom[2]


def test_a_figure_moves_its_legs_and_keeps_its_clothes() -> None:
    clothes = Clothes.draw(np.random.default_rng(5))
    first, later = (np.asarray(figure(clothes, phase, 1.0)) for phase in (0.0, np.pi / 2))
    knees = np.s_[230:330]
    assert np.abs(first[knees].astype(int) - later[knees]).mean() > 2
    chest = np.s_[60:100, 110:130]
    assert np.array_equal(first[chest], later[chest])
