/* sample_composer.c - a small composer of the tests, and its numbers; test.h says what is in it. */
#include "test.h"

const char *const SAMPLE_WORDS[] = {"a", "ab", "bcde", "x", "xy"};

/* Histories newest first; symbol 5 is the end, 6 the start. */
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
            {2, {6, 6}, 0.6f, 1, {2}, {0.4f}},
            {2, {0, 6}, 0.3f, 2, {1, 5}, {0.5f, 0.2f}},
            {2, {3, 0}, 0.3f, 2, {4, 5}, {0.2f, 0.5f}},
        },
};

const uint32_t SAMPLE_ALPHABET[] = {'a', 'b', 'x', 'y', 0xE9};

const sample_ngrams CHARACTER_NGRAMS = {
    .order = 3,
    .words = 5,
    .unigram = {0.2f, 0.15f, 0.15f, 0.1f, 0.1f, 0.2f},
    .unknown = 0.1,
    .n_contexts = 5,
    .context =
        {
            {1, {6}, 0.5f, 1, {2}, {0.5f}},
            {1, {2}, 0.3f, 2, {3, 5}, {0.6f, 0.1f}},
            {1, {3}, 0.5f, 1, {5}, {0.5f}},
            {2, {2, 6}, 0.3f, 1, {3}, {0.7f}},
            {2, {3, 2}, 0.4f, 1, {4}, {0.6f}},
        },
};

/* What follows a word in next queries. */
static const uint32_t ASSOCIATION_END[] = {2, 2, 3, 3, 3}, ASSOCIATION[] = {2, 4, 0};
static const float ASSOCIATION_WEIGHT[] = {0.5f, 0.25f, 0.75f};

double sample_association(uint32_t from, uint32_t to)
{
    for (uint32_t i = from ? ASSOCIATION_END[from - 1] : 0; i < ASSOCIATION_END[from]; i++)
        if (ASSOCIATION[i] == to)
            return ASSOCIATION_WEIGHT[i];
    return 0;
}

static qac_ngrams make_ngrams(sample *s, const sample_ngrams *from)
{
    uint64_t hash[8], slot_hash[16];
    uint32_t slot_id[16], context_end[8], next[24], n = 0;
    float backoff[8], weight[24];
    for (uint32_t c = 0; c < from->n_contexts; c++) {
        hash[c] = from->context[c].n;
        for (uint32_t i = 0; i < from->context[c].n; i++)
            hash[c] = qac_mix(hash[c] ^ from->context[c].history[i]) + 0x9e3779b97f4a7c15ULL;
        for (uint32_t i = 0; i < from->context[c].n_next; i++, n++) {
            next[n] = from->context[c].next[i];
            weight[n] = from->context[c].weight[i];
        }
        context_end[c] = n;
        backoff[c] = from->context[c].backoff;
    }
    CHECK(qac_slots_build(hash, from->n_contexts, slot_hash, slot_id, 16) == QAC_OK);
    return (qac_ngrams){
        .order = from->order,
        .words = from->words,
        .unigram = keep(s, "unigram", from->unigram, (from->words + 1) * sizeof *from->unigram),
        .slot_hash = KEEP(s, slot_hash),
        .slot_id = KEEP(s, slot_id),
        .slots = 16,
        .context_end = keep(s, "context_end", context_end, from->n_contexts * sizeof *context_end),
        .backoff = keep(s, "backoff", backoff, from->n_contexts * sizeof *backoff),
        .contexts = from->n_contexts,
        .next = keep(s, "next", next, n * sizeof *next),
        .weight = keep(s, "weight", weight, n * sizeof *weight),
        .entries = n,
    };
}

sample make_composing_sample(void)
{
    enum { WORDS = sizeof SAMPLE_WORDS / sizeof *SAMPLE_WORDS };
    sample s = make_sample();
    string_list words = make_strings(SAMPLE_WORDS, WORDS);
    uint8_t text[64], word_length[WORDS];
    uint64_t word_block[1], size, hash[WORDS], slot_hash[8];
    uint32_t slot_id[8];
    const uint32_t frequent[] = {0, 2, 1, 3, 4};
    double unigram_sum[WORDS + 1] = {0};
    CHECK(qac_labels_encode(words.text, words.end, WORDS, text, word_block, &size) == QAC_OK);
    CHECK(qac_word_hash(words.text, words.end, WORDS, hash) == QAC_OK);
    CHECK(qac_slots_build(hash, WORDS, slot_hash, slot_id, 8) == QAC_OK);
    for (uint32_t i = 0; i < WORDS; i++) {
        word_length[i] = (uint8_t)strlen(SAMPLE_WORDS[i]);
        unigram_sum[i + 1] = unigram_sum[i] + WORD_NGRAMS.unigram[i];
    }
    s.parts.composer = (qac_composer){
        .word = make_ngrams(&s, &WORD_NGRAMS),
        .character = make_ngrams(&s, &CHARACTER_NGRAMS),
        .word_text = keep(&s, "word_text", text, size),
        .word_text_size = size,
        .word_block = KEEP(&s, word_block),
        .word_length = KEEP(&s, word_length),
        .word_slot_hash = keep(&s, "word_slot_hash", slot_hash, sizeof slot_hash),
        .word_slot_id = keep(&s, "word_slot_id", slot_id, sizeof slot_id),
        .word_slots = 8,
        .unigram_sum = KEEP(&s, unigram_sum),
        .frequent = KEEP(&s, frequent),
        .n_frequent = WORDS,
        .alphabet = keep(&s, "alphabet", SAMPLE_ALPHABET, sizeof SAMPLE_ALPHABET),
        .association_end = keep(&s, "association_end", ASSOCIATION_END, sizeof ASSOCIATION_END),
        .association = keep(&s, "association", ASSOCIATION, sizeof ASSOCIATION),
        .association_weight = keep(&s, "association_weight", ASSOCIATION_WEIGHT, sizeof ASSOCIATION_WEIGHT),
        .n_associations = 3,
        .unknown = WORD_NGRAMS.unknown,
        .share = 0.5,
        .new_query = 0.5,
        .copy_start = 0.15,
        .copy_none = 0.08,
        .copy_some = 0.25,
        .copy_all = 0.45,
        .associate = 0.2,
        .length_discount = 1,
        .length_scale = 4,
    };
    free_strings(&words);
    return s;
}
