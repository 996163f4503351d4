"""Features: sparse TF-IDF vectors of sessions (:mod:`.session`) and of typed prefixes (:mod:`.prefix`).

Both vectorisers are scikit-learn estimators around the native code that serving runs, so that training and serving
cannot differ.
"""
