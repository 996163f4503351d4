"""Features: sparse TF-IDF vectors of sessions and of typed prefixes.

Both vectorisers are scikit-learn estimators around the native code that serving runs, so that training and serving
cannot differ.
"""

from qac.features.prefix import PrefixTfidfVectorizer
from qac.features.session import SessionVectorizer

__all__ = ["PrefixTfidfVectorizer", "SessionVectorizer"]
