"""The composer: completions that nobody typed before (:mod:`.ngrams`: language models, :mod:`.fitting`: all of it)."""
