/* ngrams.h - reading an n-gram model: probabilities of symbols after a history. */
#ifndef QAC_NGRAMS_H
#define QAC_NGRAMS_H

#include "core.h"

enum { QAC_MAX_ORDER = 8 }; /* of an n-gram model */

/* The contexts of a history that the model knows: of[l] is that of its last l symbols; known ones come first. */
typedef struct {
    uint32_t of[QAC_MAX_ORDER];
    uint32_t longest;
} ngram_state;

/* history: the last symbols, newest first; `n` of them. */
ngram_state ngram_find(const qac_ngrams *g, const uint32_t *history, uint32_t n);

/* P(symbol | state). symbol: a word or the end. */
double ngram_probability(const qac_ngrams *g, const ngram_state *state, uint32_t symbol);

/* Product of the back-off weights of all contexts: what a symbol outside the model gets of its unigram's share. */
double ngram_backoff(const qac_ngrams *g, const ngram_state *state);

/* Entries of a context, ascending by symbol. */
void ngram_entries(const qac_ngrams *g, uint32_t context, uint32_t *begin, uint32_t *end);

#endif
