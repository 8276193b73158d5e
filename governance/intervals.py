"""95 % intervals of a rate, of a ratio and of a difference of two rates, from counts alone.

All three are score intervals: exact enough from 20 people on, and sound where a count is 0 or everybody, where the
textbook (Wald, Katz) forms break. tests/unit/test_intervals.py measures how often they hold what is true. Not in charge
of thresholds. See docs/policy.md for why these three.
"""

from functools import lru_cache
from math import exp, inf, log, sqrt

Z95 = 1.959963984540054

Interval = tuple[float, float]


def wilson(hits: int, n: int, z: float = Z95) -> Interval:
    """Wilson's score interval of the rate hits/n, within [0, 1]; raises ValueError for n < 1 or hits outside 0..n.

    E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209.
    """
    _counts(hits, n)
    rate, square = hits / n, z * z
    middle = (rate + square / (2 * n)) / (1 + square / n)
    half = z * sqrt(rate * (1 - rate) / n + square / (4 * n * n)) / (1 + square / n)
    return (0.0 if hits == 0 else max(0.0, middle - half), 1.0 if hits == n else min(1.0, middle + half))


def difference(hits: int, n: int, base_hits: int, base_n: int, z: float = Z95) -> Interval:
    """Newcombe's hybrid score interval of hits/n - base_hits/base_n, within [-1, 1].

    Method 10 of R. G. Newcombe, Stat. Med. 17 (1998) 873.
    """
    low, high = wilson(hits, n, z)
    base_low, base_high = wilson(base_hits, base_n, z)
    rate, base = hits / n, base_hits / base_n
    gap = rate - base
    down = sqrt((rate - low) ** 2 + (base_high - base) ** 2)
    up = sqrt((high - rate) ** 2 + (base - base_low) ** 2)
    return max(-1.0, gap - down), min(1.0, gap + up)


# The same counts are judged again and again, and a bisection takes as long as everything else of a judgement.
@lru_cache(maxsize=4096)
def ratio(hits: int, n: int, base_hits: int, base_n: int, z: float = Z95) -> Interval:
    """Koopman's score interval of (hits/n) / (base_hits/base_n): P. A. R. Koopman, Biometrics 40 (1984) 513.

    The upper limit is infinite where the base has no hit; with no hit on either side nothing is known: (0, inf).
    """
    _counts(hits, n)
    _counts(base_hits, base_n)
    if base_hits == 0:
        return (0.0, inf) if hits == 0 else (_limit(hits, n, base_hits, base_n, z, 1.0, down=True), inf)
    if hits == 0:
        return 0.0, _limit(hits, n, base_hits, base_n, z, 1.0 / n / (base_hits / base_n), down=False)
    point = (hits / n) / (base_hits / base_n)
    return (
        _limit(hits, n, base_hits, base_n, z, point, down=True),
        _limit(hits, n, base_hits, base_n, z, point, down=False),
    )


def score(hits: int, n: int, base_hits: int, base_n: int, assumed: float) -> float:
    """How many standard errors the counts lie above an assumed ratio; falls as the assumed ratio grows."""
    # The base rate most likely under that ratio: the smaller root of the likelihood's quadratic.
    a = (n + base_n) * assumed
    b = -(n * assumed + hits + base_n + base_hits * assumed)
    c = hits + base_hits
    base_rate = 2 * c / (-b + sqrt(max(0.0, b * b - 4 * a * c)))
    base_rate = min(base_rate, 1.0, 1.0 / assumed)
    rate = min(1.0, base_rate * assumed)
    variance = assumed * assumed * base_rate * (1 - base_rate) / base_n + rate * (1 - rate) / n
    above = hits / n - assumed * base_hits / base_n
    if variance <= 0.0:
        return 0.0 if above == 0 else inf if above > 0 else -inf
    return above / sqrt(variance)


def _limit(hits: int, n: int, base_hits: int, base_n: int, z: float, start: float, *, down: bool) -> float:
    """Where the score crosses +z (down) or -z (up), by bisection on the logarithm of the ratio."""
    wanted = z if down else -z
    inside = log(start)

    def beyond(place: float) -> bool:
        found = score(hits, n, base_hits, base_n, exp(place))
        return found > wanted if down else found < wanted

    # With no hit in the base there is no point estimate: step from wherever we are until the limit lies between.
    while beyond(inside):
        inside += 1.0 if down else -1.0
    outside = inside
    while not beyond(outside):
        outside += -1.0 if down else 1.0
    while abs(outside - inside) > 1e-12:
        middle = (outside + inside) / 2
        if middle in (outside, inside):
            break
        if beyond(middle):
            outside = middle
        else:
            inside = middle
    return exp((outside + inside) / 2)


def _counts(hits: int, n: int) -> None:
    if n < 1 or not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n} is not a count.")
