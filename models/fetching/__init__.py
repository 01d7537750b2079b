"""Getting weights onto this machine, and finding them there: `fetch(name)`, `find(name)`."""

from models.fetching.fetch import Progress, Stage, fetch
from models.fetching.find import find, find_alone
from models.fetching.places import home

__all__ = ["Progress", "Stage", "fetch", "find", "find_alone", "home"]
