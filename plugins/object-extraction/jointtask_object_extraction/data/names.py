"""Names of files: compared in one form, shown without harm, and paired between two folders by one rule."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from attrs import field, frozen

from jointtask.api import printable

__all__ = ["Pairing", "is_mask_name", "normal", "pair_names", "shown"]

_MASK_WORDS = frozenset(
    ["alpha", "annotation", "groundtruth", "gt", "label", "labels", "map", "mask", "masks", "matte"]
) | {"sal", "saliency", "seg", "segmentation"}
_WORD = re.compile(r"[a-z]+")
_WHOLE = ("", "")


@frozen
class Pairing:
    """Which name of one folder belongs to which of another.

    Attributes
    ----------
    partner : mapping of str to str
        The other folder's name by the name in the first.
    affix : (str, str)
        The beginning and ending that the other folder's names have beside the first's; with `reverse`, the first's.
    reverse : bool
        Whether the first folder's names are the longer ones.
    ambiguous : mapping of str to sequence of str
        Names of the first folder with two candidates that nothing decides between, and these.
    """

    partner: Mapping[str, str]
    affix: tuple[str, str] = _WHOLE
    reverse: bool = False
    ambiguous: Mapping[str, Sequence[str]] = field(factory=dict)

    @property
    def rule(self) -> str:
        """What the longer names were read without; "" where all names are equal."""
        start, end = self.affix
        parts = [f"the beginning '{shown(start)}'"] * bool(start) + [f"the ending '{shown(end)}'"] * bool(end)
        return f"without {' and '.join(parts)} of their names" if parts else ""


def normal(name: str) -> str:
    """Return the form in which names are compared: NFC and NFD, two spellings of one name, are equal in it."""
    return unicodedata.normalize("NFC", name)


def shown(name: object) -> str:
    r"""Return a name as it stands in a line that people read: as `printable`, in one line.

    Examples
    --------
    >>> print(shown("two\nlines\x1b.png"))
    two\nlines\x1b.png
    """
    return printable(str(name)).replace("\n", "\\n").replace("\t", "\\t")


def pair_names(names: Collection[str], others: Collection[str]) -> Pairing:
    """Pair all names of two folders at once, by the one rule that leaves least over.

    The rules are: names are equal; the others have a beginning or ending (``-mask``, ``sal_``); the first have. A
    beginning or ending has a letter, and a separator between it and the rest; if no name fits so, it is any that all
    names share. Of two rules that leave as much over, equal names and endings that tell masks come first; between
    these nothing decides, and the names that they pair differently are ambiguous.

    Parameters
    ----------
    names : collection of str
        Names in the first folder, in their `normal` form.
    others : collection of str
        Names in the other folder, likewise.

    Returns
    -------
    Pairing
    """
    equal = Pairing({name: name for name in sorted(set(names) & set(others))})
    rules = [equal, *_rules(names, others, _separated_affixes)]
    if not any(rule.partner for rule in rules):
        rules += _rules(names, others, _shared_affixes)
    best = min(rules, key=_order)
    rivals = [
        rule
        for rule in rules
        if len(rule.partner) == len(best.partner) and _rank(rule) == _rank(best) and rule.partner != best.partner
    ]
    if not rivals:
        return best
    candidates = {
        name: sorted({rule.partner[name] for rule in (best, *rivals) if name in rule.partner})
        for name in sorted({name for rule in (best, *rivals) for name in rule.partner})
        if len({rule.partner.get(name) for rule in (best, *rivals)}) > 1
    }
    sure = {name: other for name, other in best.partner.items() if name not in candidates}
    return Pairing(sure, best.affix, best.reverse, candidates)


def is_mask_name(name: str) -> bool:
    """Say whether a name begins or ends with a separate word that tells masks: ``a_mask``, ``gt-a``."""
    base = name.rpartition("/")[2]
    return any(_tells_mask(base[:start]) or _tells_mask(base[end:]) for start, end in _cuts(base))


def _rules(
    names: Collection[str],
    others: Collection[str],
    affixes: Callable[[Collection[str], Collection[str]], Mapping[tuple[str, str], Mapping[str, str]]],
) -> list[Pairing]:
    longer = [Pairing(pairs, affix) for affix, pairs in affixes(others, names).items()]
    return longer + [
        Pairing({name: stem for stem, name in pairs.items()}, affix, reverse=True)
        for affix, pairs in affixes(names, others).items()
    ]


def _order(rule: Pairing) -> tuple[int, int, int, tuple[str, str]]:
    return -len(rule.partner), _rank(rule), sum(map(len, rule.affix)), rule.affix


def _rank(rule: Pairing) -> int:
    """Return 0 for equal names and for affixes that tell masks, 1 for others."""
    return int(rule.affix != _WHOLE and not any(map(_tells_mask, rule.affix)))


def _tells_mask(part: str) -> bool:
    return any(word in _MASK_WORDS for word in _WORD.findall(part.lower()))


def _separated_affixes(long: Collection[str], short: Collection[str]) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """Return the long name by the short one, for each beginning and ending that a separator sets apart."""
    stems = set(short)
    pairs: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for name in long:
        folder, slash, base = name.rpartition("/")
        for start, end in _cuts(base):
            stem = folder + slash + base[start:end]
            affix = (base[:start], base[end:])
            if stem in stems and affix != _WHOLE and all(not part or _has_letter(part) for part in affix):
                pairs[affix][stem] = name
    return pairs


def _shared_affixes(long: Collection[str], short: Collection[str]) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """Return the same for each beginning and ending that all long names share, folders included."""
    stems = set(short)
    start, end = _shared_length(long), _shared_length([name[::-1] for name in long])
    pairs: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for name in long:
        for first in range(start + 1):
            for last in range(max(first + 1, len(name) - end), len(name) + 1):
                if name[first:last] in stems and last - first < len(name):
                    pairs[name[:first], name[last:]][name[first:last]] = name
    return pairs


def _shared_length(names: Collection[str]) -> int:
    """Return the number of characters that all names begin with."""
    first, last = min(names, default=""), max(names, default="")
    return next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))


def _cuts(base: str) -> Iterator[tuple[int, int]]:
    """Yield where parts of a name that separators bound start and end."""
    between = range(1, len(base))
    starts = [0, *(at for at in between if base[at].isalnum() and not base[at - 1].isalnum())]
    ends = [*(at for at in between if base[at - 1].isalnum() and not base[at].isalnum()), len(base)]
    yield from ((start, end) for start in starts for end in ends if start < end)


def _has_letter(part: str) -> bool:
    return any(map(str.isalpha, part))
