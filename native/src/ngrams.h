/* ngrams.h - reading an n-gram model: probabilities of symbols after a context. */
#ifndef QAC_NGRAMS_H
#define QAC_NGRAMS_H

#include "core.h"

enum { QAC_MAX_ORDER = 8 }; /* of an n-gram model */

/* The context at the start of a sequence. QAC_NO_ID is the empty one. */
static inline uint32_t ngram_start(const qac_ngrams *g) { return g->words + 1; }

/* A context and all shorter ones, the longest first. */
typedef struct {
    uint32_t of[QAC_MAX_ORDER];
    uint32_t n;
} ngram_contexts;

ngram_contexts ngram_find(const qac_ngrams *g, uint32_t context);

/* P(symbol | contexts). symbol: a word or the end. */
double ngram_probability(const qac_ngrams *g, const ngram_contexts *contexts, uint32_t symbol);

/* The context after one more symbol. */
uint32_t ngram_follow(const qac_ngrams *g, const ngram_contexts *contexts, uint32_t symbol);

/* P(symbol | *context); moves the context on. */
double ngram_step(const qac_ngrams *g, uint32_t *context, uint32_t symbol);

/* Product of the back-off weights of all contexts: what a symbol outside the model gets of its unigram's share. */
double ngram_backoff(const qac_ngrams *g, const ngram_contexts *contexts);

/* Entries of a context, ascending by symbol. */
void ngram_entries(const qac_ngrams *g, uint32_t context, uint32_t *begin, uint32_t *end);

#endif
