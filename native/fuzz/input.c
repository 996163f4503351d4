/* input.c - from the fuzzer's bytes to models and requests; input.h says how they are written. */
#include "input.h"

#include <stdio.h>

_Noreturn void fuzz_fail(const char *text, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
    abort();
}

slice next_block(blocks *b)
{
    uint32_t size = 0;
    const size_t left = (size_t)(b->end - b->at);
    if (left < sizeof size) {
        b->at = b->end;
        return (slice){(const char *)b->end, 0};
    }
    memcpy(&size, b->at, sizeof size);
    const size_t len = size < left - sizeof size ? size : left - sizeof size;
    const slice s = {(const char *)b->at + sizeof size, len};
    b->at += sizeof size + len;
    return s;
}

/* A block as an array of n things. */
static void *fit(model_input *in, blocks *b, size_t item, uint64_t n)
{
    const slice s = next_block(b);
    const size_t size = item * n;
    uint8_t *array = malloc(size);
    REQUIRE(array && in->arrays < MOST_ARRAYS);
    if (size) {
        memset(array, 0, size);
        memcpy(array, s.text, s.len < size ? s.len : size);
    }
    in->array[in->arrays++] = array;
    return array;
}

/* A block as an array of as many things as it holds. */
static void *take(model_input *in, blocks *b, size_t item, uint64_t *n)
{
    blocks ahead = *b;
    *n = next_block(&ahead).len / item;
    return fit(in, b, item, *n);
}

static void *take32(model_input *in, blocks *b, size_t item, uint32_t *n)
{
    uint64_t many;
    void *array = take(in, b, item, &many);
    *n = (uint32_t)many;
    return array;
}

/* As numpy packs them: nothing between. */
typedef struct {
    qac_vectorizer session, prefix;
    float repeat_weight;
    uint32_t loss, filters, word_order, character_order, weight_bits;
    double recall[QAC_MAX_AGE], older[QAC_MAX_AGE];
    double unknown, share, copy_start, copy_none, copy_some, copy_all, associate, least, length_discount, length_scale,
        spelling, new_query;
} scalars;

_Static_assert(sizeof(scalars) == 2 * 36 + 24 + 26 * 8, "as corpus.py packs it");

static qac_keys read_keys(model_input *in, blocks *b)
{
    qac_keys k = {0};
    uint32_t buckets;
    k.bucket_end = take32(in, b, 4, &buckets);
    while (buckets > 1) {
        buckets /= 2;
        k.bits++;
    }
    k.key = take32(in, b, 4, &k.n);
    return k;
}

static qac_vocabulary read_vocabulary(model_input *in, blocks *b)
{
    qac_vocabulary v = {.keys = read_keys(in, b)};
    v.idf = fit(in, b, 1, v.keys.n);
    v.idf_value = fit(in, b, 4, 256);
    return v;
}

static qac_ngrams read_ngrams(model_input *in, blocks *b, uint32_t order)
{
    qac_ngrams g = {.order = order};
    uint32_t unigrams;
    g.unigram = take32(in, b, 4, &unigrams);
    g.words = unigrams - 1;
    g.symbol_bytes = g.words <= UINT8_MAX ? 1 : g.words <= UINT16_MAX ? 2 : 3;
    g.shorter = take32(in, b, 4, &g.n_shorter);
    g.child_end = take32(in, b, 4, &g.contexts);
    g.backoff = fit(in, b, 1, g.contexts);
    g.backoff_value = fit(in, b, 4, 256);
    g.next = take32(in, b, g.symbol_bytes, &g.entries);
    g.probability = fit(in, b, 1, g.entries);
    g.value = fit(in, b, 4, 256);
    return g;
}

static void read_composer(model_input *in, blocks *b, qac_composer *c, const scalars *x)
{
    c->word = read_ngrams(in, b, x->word_order);
    if (!c->word.order || c->word.words == UINT32_MAX) {
        *c = (qac_composer){0};
        return;
    }
    c->character = read_ngrams(in, b, x->character_order);
    c->word_text = take(in, b, 1, &c->word_text_size);
    c->word_end = fit(in, b, 4, c->word.words);
    c->word_length = fit(in, b, 1, c->word.words);
    c->word_keys = read_keys(in, b);
    c->word_keys.id = fit(in, b, 4, c->word_keys.n);
    c->unigram_sum = fit(in, b, 8, (uint64_t)c->word.words + 1);
    c->frequent = take32(in, b, 4, &c->n_frequent);
    c->alphabet = fit(in, b, 4, c->character.words == UINT32_MAX ? 0 : c->character.words);
    c->association_end = fit(in, b, 4, c->word.words);
    c->association = take32(in, b, 4, &c->n_associations);
    c->association_weight = fit(in, b, 1, c->n_associations);
    c->association_value = fit(in, b, 4, 256);
    memcpy(c->older, x->older, sizeof c->older);
    c->unknown = x->unknown;
    c->share = x->share;
    c->copy_start = x->copy_start;
    c->copy_none = x->copy_none;
    c->copy_some = x->copy_some;
    c->copy_all = x->copy_all;
    c->associate = x->associate;
    c->least = x->least;
    c->length_discount = x->length_discount;
    c->length_scale = x->length_scale;
    c->spelling = x->spelling;
    c->new_query = x->new_query;
}

void read_model(model_input *in, const uint8_t *data, size_t size)
{
    blocks stream = {data, data + size}, *b = &stream;
    *in = (model_input){.arrays = 0};
    const slice head = next_block(b);
    scalars x = {0};
    memcpy(&x, head.text, head.len < sizeof x ? head.len : sizeof x);
    in->request = next_block(b);
    qac_parts *p = &in->parts;
    p->session = x.session;
    p->prefix = x.prefix;
    p->repeat_weight = x.repeat_weight;
    p->loss = x.loss;
    p->filters = x.filters & 1;
    memcpy(p->recall, x.recall, sizeof p->recall);
    p->session_vocabulary = read_vocabulary(in, b);
    p->prefix_vocabulary = read_vocabulary(in, b);
    qac_tree *t = &p->tree;
    p->count = take32(in, b, 4, &t->labels);
    p->length = fit(in, b, 1, t->labels);
    p->length_factor = fit(in, b, 8, 256);
    t->node = take32(in, b, sizeof *t->node, &t->nodes);
    p->node_count = fit(in, b, 8, t->nodes);
    p->top_weight = fit(in, b, 4, t->nodes);
    p->top_count = fit(in, b, 4, t->nodes);
    t->children = take(in, b, 4, &t->n_children);
    t->members = take(in, b, 4, &t->n_members);
    p->member_mass = fit(in, b, 8, t->n_members / QAC_MEMBER_BLOCK + 1);
    p->member_count = fit(in, b, 8, t->n_members / QAC_MEMBER_BLOCK + 1);
    p->label_text = take(in, b, 1, &p->label_text_size);
    p->label_block = fit(in, b, sizeof *p->label_block, (t->labels + 15) / 16);
    p->rows.weight_bits = x.weight_bits;
    p->rows.stream = take(in, b, 1, &p->rows.size);
    p->rows.block_feature = take(in, b, 4, &p->rows.blocks);
    p->rows.block_begin = fit(in, b, 4, p->rows.blocks);
    read_composer(in, b, &p->composer, &x);
}

void free_model(model_input *in)
{
    for (int i = 0; i < in->arrays; i++)
        free(in->array[i]);
}

request parse_request(slice s)
{
    uint8_t head[6] = {0};
    const size_t n = s.len < sizeof head ? s.len : sizeof head;
    memcpy(head, s.text, n);
    const slice texts = {s.text + n, s.len - n};
    const char *stop = texts.len ? memchr(texts.text, 0, texts.len) : NULL;
    const size_t prefix = stop ? (size_t)(stop - texts.text) : texts.len;
    return (request){
        .k = 1 + (head[0] | (uint32_t)head[1] << 8) % QAC_MAX_K,
        .beam = head[2],
        .options = head[3] & (QAC_COMPOSE | QAC_CORRECT),
        .number = head[4] | (uint32_t)head[5] << 8,
        .prefix = {texts.text, prefix},
        .session = {stop ? stop + 1 : texts.text, stop ? texts.len - prefix - 1 : 0},
    };
}
