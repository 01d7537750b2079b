"""What people wear and have on them, and where on a person it is: clothes have no boxes of their own."""

from __future__ import annotations

TOP_WEAR = frozenset(
    "hat cap helmet hair beard face head glasses sunglasses hood turban crown headband mask beret bun ponytail".split()
)
LOW_WEAR = frozenset(
    "pants trousers jeans shorts skirt shoe boot sneaker sandal sock leggings sweatpants legging heel".split()
)
UPPER_WEAR = frozenset(
    "sweater sweatshirt hoodie pullover jumper jacket coat shirt t-shirt tshirt suit blouse dress gown robe vest "
    "cardigan tuxedo uniform jersey blazer clothes clothing outfit scarf sleeve tie bowtie apron kimono cloak top "
    "garment attire costume lanyard badge poncho tunic swimsuit bikini overall overalls".split()
)
WEAR = TOP_WEAR | LOW_WEAR | UPPER_WEAR
BODY = frozenset(
    "hand arm leg foot finger eye mouth nose ear lip neck shoulder back chest skin head face hair beard knee body wrist "
    "tail fur paw mane whisker".split()
)
