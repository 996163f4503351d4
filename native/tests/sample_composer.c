/* sample_composer.c - a small composer of the tests, and its numbers; test.h says what is in it. */
#include "test.h"

const char *const SAMPLE_WORDS[] = {"a", "ab", "bcde", "x", "xy"};

/* Contexts oldest symbol first; symbol 5 is the end, 6 the start. */
const sample_ngrams WORD_NGRAMS = {
    .order = 3,
    .words = 5,
    .unigram = {0.2f, 0.1f, 0.15f, 0.1f, 0.05f, 0.3f},
    .unknown = 0.1,
    .n_contexts = 6,
    .context =
        {
            {1, {6}, 0.5f, 2, {0, 3}, {0.3f, 0.2f}},
            {1, {0}, 0.4f, 3, {1, 3, 5}, {0.2f, 0.2f, 0.2f}},
            {1, {3}, 0.4f, 2, {0, 5}, {0.5f, 0.1f}},
            {2, {6, 3}, 0.6f, 1, {2}, {0.4f}},
            {2, {6, 0}, 0.3f, 2, {1, 5}, {0.5f, 0.2f}},
            {2, {0, 3}, 0.3f, 2, {4, 5}, {0.2f, 0.5f}},
        },
};

const uint32_t SAMPLE_ALPHABET[] = {' ', 'a', 'b', 'x', 'y', 0xE9};

/* Symbol 6 is the end, 7 the start. */
const sample_ngrams CHARACTER_NGRAMS = {
    .order = 4,
    .words = 6,
    .unigram = {0.1f, 0.15f, 0.15f, 0.1f, 0.1f, 0.1f, 0.2f},
    .unknown = 0.1,
    .n_contexts = 9,
    .context =
        {
            {1, {7}, 0.5f, 1, {3}, {0.5f}},
            {1, {0}, 0.4f, 2, {1, 3}, {0.3f, 0.3f}},
            {1, {3}, 0.3f, 3, {0, 4, 6}, {0.1f, 0.5f, 0.1f}},
            {1, {4}, 0.5f, 3, {0, 5, 6}, {0.15f, 0.1f, 0.25f}},
            {2, {7, 3}, 0.3f, 2, {4, 6}, {0.5f, 0.2f}},
            {2, {0, 3}, 0.5f, 1, {4}, {0.5f}},
            {2, {3, 4}, 0.4f, 2, {0, 5}, {0.2f, 0.4f}},
            {3, {7, 3, 4}, 0.25f, 2, {1, 6}, {0.5f, 0.25f}},
            {3, {0, 3, 4}, 0.5f, 1, {2}, {0.5f}},
        },
};

static const sample_context *find_context(const sample_ngrams *g, const uint32_t *symbols, uint32_t n)
{
    for (uint32_t c = 0; c < g->n_contexts; c++)
        if (g->context[c].n == n && memcmp(g->context[c].symbols, symbols, n * sizeof *symbols) == 0)
            return &g->context[c];
    return NULL;
}

/* P(symbol | the n symbols of a context); a symbol outside the model gets what the unigrams leave. */
static double interpolated(const sample_ngrams *g, const uint32_t *symbols, uint32_t n, uint32_t symbol)
{
    if (n == 0)
        return symbol <= g->words ? g->unigram[symbol] : g->unknown;
    const double shorter = interpolated(g, symbols + 1, n - 1, symbol);
    const sample_context *c = find_context(g, symbols, n);
    if (!c)
        return shorter;
    double p = c->backoff * shorter;
    for (uint32_t i = 0; i < c->n_next; i++)
        p += c->next[i] == symbol ? c->weight[i] : 0;
    return p;
}

double sample_probability(const sample_ngrams *g, const uint32_t *before, uint32_t n, uint32_t symbol)
{
    uint32_t all[SAMPLE_MOST_SYMBOLS + 1] = {g->words + 1};
    if (n > SAMPLE_MOST_SYMBOLS)
        abort();
    memcpy(all + 1, before, n * sizeof *before);
    const uint32_t used = n + 1 < g->order - 1 ? n + 1 : g->order - 1;
    return interpolated(g, all + n + 1 - used, used, symbol);
}

/* What follows a word in next queries. */
static const uint32_t ASSOCIATION_END[] = {2, 2, 3, 3, 3}, ASSOCIATION[] = {2, 4, 0};
static const uint8_t ASSOCIATION_WEIGHT[] = {1, 0, 2};
static const float ASSOCIATION_VALUE[256] = {0.25f, 0.5f, 0.75f};

double sample_association(uint32_t from, uint32_t to)
{
    for (uint32_t i = from ? ASSOCIATION_END[from - 1] : 0; i < ASSOCIATION_END[from]; i++)
        if (ASSOCIATION[i] == to)
            return ASSOCIATION_VALUE[ASSOCIATION_WEIGHT[i]];
    return 0;
}

typedef struct {
    uint32_t n, symbols[4];
} ngram;

static uint32_t number_of(const ngram *node, uint32_t n_nodes, const uint32_t *symbols, uint32_t n)
{
    uint32_t i = 0;
    while (i < n_nodes && (node[i].n != n || memcmp(node[i].symbols, symbols, n * sizeof *symbols) != 0))
        i++;
    CHECK(i < n_nodes); /* what is listed must be closed: without its first symbol an n-gram is one too */
    return i;
}

/* Place of a value in a table, which has room for 256. */
static uint8_t place_of(float *table, uint32_t *n, double value)
{
    uint32_t i = 0;
    while (i < *n && table[i] != (float)value)
        i++;
    if (i == *n)
        table[(*n)++] = (float)value;
    CHECK(*n <= 256);
    return (uint8_t)i;
}

/* The trie of the listed contexts, breadth first. */
static qac_ngrams make_ngrams(sample *s, const sample_ngrams *from, uint32_t symbol_bytes)
{
    enum { MOST = 48 };
    ngram node[MOST];
    uint32_t child_end[MOST], shorter[MOST];
    uint8_t backoff[MOST], probability[MOST], next[3 * MOST];
    float backoff_value[256] = {0}, value[256] = {0};
    uint32_t nodes = 0, contexts = 0, entries = 0, met = 0, n_shorter = 0, values = 0, backoffs = 0;
    for (; nodes < from->words + 2; nodes++)
        node[nodes] = (ngram){1, {nodes}};
    for (; contexts < nodes && node[contexts].n < from->order; contexts++) {
        const ngram *its = &node[contexts];
        const sample_context *c = find_context(from, its->symbols, its->n);
        for (uint32_t i = 0; c && i < c->n_next; i++, entries++) {
            memcpy(next + symbol_bytes * entries, &c->next[i], symbol_bytes);
            probability[entries] = place_of(value, &values, interpolated(from, its->symbols, its->n, c->next[i]));
            ngram longer = *its;
            longer.symbols[longer.n++] = c->next[i];
            node[nodes++] = longer;
        }
        met += c != NULL;
        backoff[contexts] = place_of(backoff_value, &backoffs, c ? c->backoff : 1);
        child_end[contexts] = entries;
        if (its->n > 2)
            shorter[n_shorter++] = number_of(node, nodes, its->symbols + 1, its->n - 1);
    }
    CHECK(met == from->n_contexts); /* nor is a context listed that is no n-gram */
    return (qac_ngrams){
        .order = from->order,
        .words = from->words,
        .unigram = keep(s, "unigram", from->unigram, (from->words + 1) * sizeof *from->unigram),
        .child_end = keep(s, "child_end", child_end, contexts * sizeof *child_end),
        .backoff = keep(s, "backoff", backoff, contexts * sizeof *backoff),
        .backoff_value = KEEP(s, backoff_value),
        .shorter = n_shorter ? keep(s, "shorter", shorter, n_shorter * sizeof *shorter) : NULL,
        .n_shorter = n_shorter,
        .contexts = contexts,
        .symbol_bytes = symbol_bytes,
        .next = keep(s, "next", next, symbol_bytes * entries),
        .probability = keep(s, "probability", probability, entries),
        .value = KEEP(s, value),
        .entries = entries,
    };
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

sample make_composing_sample(void)
{
    enum { WORDS = sizeof SAMPLE_WORDS / sizeof *SAMPLE_WORDS };
    sample s = make_sample();
    string_list words = make_strings(SAMPLE_WORDS, WORDS);
    uint8_t word_length[WORDS];
    enum { BITS = 1 };
    uint64_t hash[WORDS], ascending[WORDS];
    uint32_t bucket_end[1 << BITS], key[WORDS], place[WORDS], id[WORDS], word_end[WORDS], kept;
    const uint32_t frequent[] = {0, 2, 1, 3, 4};
    double unigram_sum[WORDS + 1] = {0};
    CHECK(qac_word_hash(words.text, words.end, WORDS, hash) == QAC_OK);
    memcpy(ascending, hash, sizeof hash);
    qsort(ascending, WORDS, sizeof *ascending, by_number);
    CHECK(qac_keys_build(ascending, WORDS, BITS, bucket_end, key, place, &kept) == QAC_OK && kept == WORDS);
    for (uint32_t i = 0; i < WORDS; i++)
        for (id[i] = 0; hash[id[i]] != ascending[place[i]];)
            id[i]++;
    for (uint32_t i = 0; i < WORDS; i++) {
        word_length[i] = (uint8_t)strlen(SAMPLE_WORDS[i]);
        word_end[i] = (uint32_t)words.end[i];
        unigram_sum[i + 1] = unigram_sum[i] + WORD_NGRAMS.unigram[i];
    }
    s.parts.composer = (qac_composer){
        .word = make_ngrams(&s, &WORD_NGRAMS, 3),
        .character = make_ngrams(&s, &CHARACTER_NGRAMS, 1),
        .word_text = keep(&s, "word_text", words.text, words.end[WORDS - 1]),
        .word_text_size = words.end[WORDS - 1],
        .word_end = KEEP(&s, word_end),
        .word_length = KEEP(&s, word_length),
        .word_keys = {.bucket_end = keep(&s, "word_bucket_end", bucket_end, sizeof bucket_end),
                      .key = keep(&s, "word_key", key, sizeof key),
                      .id = keep(&s, "word_id", id, sizeof id),
                      .bits = BITS,
                      .n = WORDS},
        .unigram_sum = KEEP(&s, unigram_sum),
        .frequent = KEEP(&s, frequent),
        .n_frequent = WORDS,
        .alphabet = keep(&s, "alphabet", SAMPLE_ALPHABET, sizeof SAMPLE_ALPHABET),
        .association_end = keep(&s, "association_end", ASSOCIATION_END, sizeof ASSOCIATION_END),
        .association = keep(&s, "association", ASSOCIATION, sizeof ASSOCIATION),
        .association_weight = keep(&s, "association_weight", ASSOCIATION_WEIGHT, sizeof ASSOCIATION_WEIGHT),
        .association_value = keep(&s, "association_value", ASSOCIATION_VALUE, sizeof ASSOCIATION_VALUE),
        .n_associations = 3,
        .unknown = WORD_NGRAMS.unknown,
        .share = 0.5,
        .new_query = 0.5,
        .copy_start = 0.15,
        .copy_none = 0.08,
        .copy_some = 0.25,
        .copy_all = 0.45,
        .older = {0.5, 0.2},
        .associate = 0.2,
        .spelling = 0.3,
        .length_discount = 1,
        .length_scale = 4,
    };
    free_strings(&words);
    return s;
}
