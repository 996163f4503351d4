/* mixture.h - a request to the composer, and the probabilities of next words. */
#ifndef QAC_MIXTURE_H
#define QAC_MIXTURE_H

#include "spelling.h"

enum {
    COMPOSE_WORDS = 8,        /* most words added to what is typed */
    COMPOSE_LOCAL = 64,       /* words of this request that are not in the vocabulary */
    COMPOSE_SESSION = 24      /* distinct words of the session that are looked at, newest queries first */
};

/* A sequence of words so far: the typed ones and those chosen. */
typedef struct {
    double probability;
    double bound;             /* no completion of it scores higher */
    double end;               /* P(end) where it is not the n-grams' alone; otherwise negative */
    uint32_t context;         /* of the words so far; until the hypothesis is settled, of all but the last */
    uint32_t last, entry;     /* word, and what ngram_follow asks of it, while it is not settled */
    bool settled;
    uint32_t length;          /* code points */
    uint32_t used;            /* bit i: word i of the session is among its words */
    uint32_t n_words;         /* all its words */
    uint32_t n_copied;        /* of them, words of the session */
    uint32_t next_copied;     /* place in the session behind the last word, in the same query, or COMPOSE_SESSION */
    uint32_t added[COMPOSE_WORDS];
    uint8_t n_added;
} hypothesis;

typedef struct {
    slice text;
    double probability;       /* by its characters, were it the word being typed */
} local_word;

typedef struct {
    uint32_t begin, end;      /* a word's associations */
} association_list;

typedef struct {
    uint32_t word, age; /* age: of its query, the last one's is 0 */
    double weight;
} session_word;

/* A request, read. */
typedef struct {
    const qac_composer *c;
    const characters *letters;
    const char *prefix;
    size_t prefix_len, head;  /* head: bytes of the finished words, the space behind them included */
    bool all_known;           /* the finished words are of the vocabulary */
    uint32_t lo, hi;          /* vocabulary words that start with the unfinished one */
    session_word session[COMPOSE_SESSION];
    uint32_t n_session;
    association_list associated[COMPOSE_SESSION]; /* of words of the last query */
    uint32_t n_associated;
    local_word local[COMPOSE_LOCAL];
    uint32_t n_local;
    uint32_t here, behind;    /* contexts of the characters before the unfinished word, and behind the prefix */
    double spelled;           /* P(the unfinished word's characters | here) */
    hypothesis typed;         /* the finished words */
    double in_range;          /* P(the next word starts as the unfinished one | the finished ones); the search sets it */
} request;

/* What is the same for all next words of a hypothesis. */
typedef struct {
    ngram_contexts words;
    double end;         /* P(end | h) */
    double scale;       /* of the n-grams' probabilities of words, so that they and the end sum to 1 */
    double copy, copies;/* share of copying; sum of the weights of what can be copied */
    double associate;
} context;

/* The texts, and what c points to, must outlive the request. */
void read_request(request *r, const qac_composer *c, const characters *letters, const char *prefix, size_t prefix_len,
                  const char *session, size_t session_len);

/* A word's number: of the vocabulary, or a local one. QAC_NO_ID: one too many, or too long to be part of an answer. */
uint32_t word_number(request *r, const char *text, size_t len);

static inline uint32_t first_local(const qac_composer *c) { return c->word.words + 2; }

/* Text of a word; empty only in a damaged file. */
slice word_text(const request *r, uint32_t word);

uint32_t word_length(const request *r, uint32_t word);
uint32_t code_points(const char *s, size_t len);

/* Brings the hypothesis' context up to its last word. */
void settle(const request *r, hypothesis *h);

/* h must be settled. */
context context_of(const request *r, const hypothesis *h);

/* P(end | h). h must be settled. */
double end_probability(const request *r, const hypothesis *h);

/* How much the session's word at `place` counts among what can be copied. */
double copy_weight(const request *r, const hypothesis *h, uint32_t place);

/* Place of a word in the session, or COMPOSE_SESSION. */
uint32_t place_in_session(const request *r, uint32_t word);

/* Weight of one association. */
static inline double association_of(const qac_composer *c, uint32_t at)
{
    return c->association_value[c->association_weight[at]];
}

/* Weight of a word among those that are associated with the last query's; 0: it is not. */
double association_weight(const request *r, uint32_t word);

/* P(word | h) by the n-grams alone, and the entry that says so. */
ngram_found ngrams_probability(const request *r, const context *x, uint32_t word);

/* P(word | h): by_ngrams as above; place, association: as the functions above. */
double mixed_probability(const request *r, const hypothesis *h, const context *x, double by_ngrams, uint32_t place,
                         double association);

/* The same, all looked up; with the n-grams' entry. */
ngram_found word_probability(const request *r, const hypothesis *h, const context *x, uint32_t word);

/* The same where the word is the one being typed, to which words give the probability `by_words`: characters have a say
 * too. Sets what they make of P(end | h, word), or leaves *end. Needs r->in_range. spelled: the word, if it was spelled
 * already; or NULL. */
double typed_probability(const request *r, const context *x, uint32_t word, ngram_found by_words,
                         const spelling *spelled, double *end);

/* h with one more word, of probability p and `length` code points; it is not settled. end, entry: as in hypothesis. */
void append(const request *r, hypothesis *h, uint32_t word, double p, double end, uint32_t entry, uint32_t length);

/* A query's probability, its length taken into account. */
double discounted(const qac_composer *c, double probability, uint32_t length);

/* The probability that a query of this length needs for a score. */
double undiscounted(const qac_composer *c, double score, uint32_t length);

#endif
