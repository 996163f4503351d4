/* ngrams.h - reading an n-gram model: probabilities of symbols after a context. */
#ifndef QAC_NGRAMS_H
#define QAC_NGRAMS_H

#include "core.h"

enum {
    QAC_MAX_ORDER = 8, /* of an n-gram model */
    NGRAM_CODES = 256  /* of probabilities */
};

/* The context at the start of a sequence. QAC_NO_ID is the empty one. */
static inline uint32_t ngram_start(const qac_ngrams *g) { return g->words + 1; }

/* A context and all shorter ones, the longest first. */
typedef struct {
    uint32_t of[QAC_MAX_ORDER];
    uint32_t n;
} ngram_contexts;

ngram_contexts ngram_find(const qac_ngrams *g, uint32_t context);

/* How likely a symbol is, and its entry in the longest context that has it. */
typedef struct {
    double probability;
    uint32_t entry; /* or NGRAM_NOWHERE, or QAC_NO_ID: not known */
} ngram_found;

enum { NGRAM_NOWHERE = 0x80000000 }; /* as many entries as there may be: none has this number */

/* P(symbol | contexts). symbol: a word or the end; anything else has none. */
ngram_found ngram_look_up(const qac_ngrams *g, const ngram_contexts *contexts, uint32_t symbol);

/* P(end | contexts). */
double ngram_end(const qac_ngrams *g, const ngram_contexts *contexts);

/* The context after one more symbol. entry: as in ngram_found. */
uint32_t ngram_follow(const qac_ngrams *g, uint32_t context, uint32_t symbol, uint32_t entry);

/* P(symbol | *context); moves the context on. */
double ngram_step(const qac_ngrams *g, uint32_t *context, uint32_t symbol);

/* Product of the back-off weights of all contexts: what a symbol outside the model gets of its unigram's share. */
double ngram_backoff(const qac_ngrams *g, const ngram_contexts *contexts);

/* Entries of a context, ascending by symbol. */
static inline void ngram_entries(const qac_ngrams *g, uint32_t context, uint32_t *begin, uint32_t *end)
{
    *begin = context ? g->child_end[context - 1] : 0;
    *end = g->child_end[context];
    if (*begin > *end || *end > g->entries) /* only in a damaged file */
        *begin = *end = 0;
}

/* Last symbol of an entry; in a damaged file it may be any number. */
static inline uint32_t ngram_symbol(const qac_ngrams *g, uint32_t entry)
{
    switch (g->symbol_bytes) {
    case 1:
        return qac_number(g->next, 1, entry);
    case 2:
        return qac_number(g->next, 2, entry);
    default:
        return qac_number(g->next, 3, entry);
    }
}

/* First of the entries [begin, end) whose symbol is not smaller, or end. */
uint32_t ngram_seek(const qac_ngrams *g, uint32_t begin, uint32_t end, uint32_t symbol);

/* P(its last symbol | those before). */
static inline double ngram_of(const qac_ngrams *g, uint32_t entry) { return g->value[g->probability[entry]]; }

/* What is left for shorter contexts. */
static inline double ngram_left(const qac_ngrams *g, uint32_t context)
{
    return g->backoff_value[g->backoff[context]];
}

#endif
