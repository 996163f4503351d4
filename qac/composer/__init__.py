"""The composer: completions that nobody typed before (:mod:`.ngrams` the language models, :mod:`.fitting` all of it)."""
