/* test_features.c - terms and vectors of single documents and of many, and bytes that are no text. */
#include <math.h>

#include "test.h"

static const qac_vectorizer WORDS = {
    .kinds = QAC_TERM_WORD | QAC_TERM_BIGRAM | QAC_TERM_QUERY, .min_n = 1, .max_n = 1, .history = 2, .age_decay = 0.5f,
    .word_weight = 1, .bigram_weight = 2, .query_weight = 3,
};
static const qac_vectorizer CHARS = {
    .kinds = QAC_TERM_CHARS, .min_n = 1, .max_n = 3, .history = 1, .position_decay = 1, .age_decay = 1,
};

static void test_golden(void)
{
    uint64_t hash[QAC_MAX_TERMS];
    float count[QAC_MAX_TERMS];
    uint32_t span[2 * QAC_MAX_TERMS], n;
    const char doc[] = "b a\na b c";
    CHECK(qac_terms(&WORDS, doc, strlen(doc), hash, count, span, &n) == QAC_OK);
    /* Newest: a b c (1 each), pairs "a b", "b c" (2 each), the query (3). One back, halved: b a, pair "b a". */
    CHECK(n == 7);
    float sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        CHECK(i == 0 || hash[i] > hash[i - 1]);
        sum += count[i];
        const size_t length = span[2 * i + 1] - span[2 * i];
        const char *text = doc + span[2 * i];
        const bool is_older = length == 3 && memcmp(text, "b a", 3) == 0;
        CHECK(span[2 * i + 1] <= strlen(doc));
        if (length == 1)
            CHECK(count[i] == (*text == 'c' ? 1 : 1.5f));
        else if (length == 3)
            CHECK(count[i] == (is_older ? 1 : 2));
        else
            CHECK(length == 5 && count[i] == 3);
        CHECK(is_older ? span[2 * i] == 0 : span[2 * i] >= 4); /* the newest occurrence */
    }
    CHECK(sum == 1.5f + 1.5f + 1 + 2 + 2 + 3 + 1);

    CHECK(qac_terms(&CHARS, "aa", 2, hash, count, NULL, &n) == QAC_OK);
    CHECK(n == 2 && count[0] + count[1] == 2.5f); /* a: 1 + 1/2, aa: 1 */
    CHECK(qac_terms(&CHARS, "\xF0\x9F\x98\x80" "a", 5, hash, count, NULL, &n) == QAC_OK);
    CHECK(n == 3); /* the emoji, a, both: no piece of the emoji */
}

static void test_batches(void)
{
    for (int round = 0; round < 300; round++) {
        const qac_vectorizer *v = round % 2 ? &WORDS : &CHARS;
        enum { DOCS = 5, BYTES = 40, CAPACITY = DOCS * BYTES * 6 };
        char *text = allocate(DOCS * BYTES);
        uint64_t end[DOCS], at = 0;
        for (int d = 0; d < DOCS; d++) {
            for (uint32_t i = random_below(BYTES + 1); i > 0; i--) /* bytes that need not be UTF-8 */
                text[at++] = random_below(4) ? "ab \n"[random_below(4)] : (char)random_bits();
            end[d] = at;
        }
        uint64_t hashes[CAPACITY], row_end[DOCS], hash[QAC_MAX_TERMS];
        float counts[CAPACITY], count[QAC_MAX_TERMS];
        CHECK(qac_terms_batch(v, text, end, DOCS, hashes, counts, CAPACITY, row_end) == QAC_OK);
        if (row_end[DOCS - 1] > 0)
            CHECK(qac_terms_batch(v, text, end, DOCS, hashes, counts, row_end[DOCS - 1] - 1, row_end) == QAC_EINVAL);
        CHECK(qac_terms_batch(v, text, end, DOCS, hashes, counts, CAPACITY, row_end) == QAC_OK);
        uint64_t begin = 0, from = 0;
        for (int d = 0; d < DOCS; begin = end[d], from = row_end[d++]) {
            uint32_t n;
            CHECK(qac_terms(v, text + begin, end[d] - begin, hash, count, NULL, &n) == QAC_OK);
            CHECK(n == row_end[d] - from);
            CHECK(memcmp(hash, hashes + from, n * sizeof *hash) == 0);
            CHECK(memcmp(count, counts + from, n * sizeof *count) == 0);
        }
        free(text);
    }
}

static void test_vectors(void)
{
    enum { TERMS = 100, BITS = 4 };
    uint64_t hash[TERMS];
    uint32_t bucket_end[1 << BITS], key[TERMS], place[TERMS], kept;
    uint8_t idf[TERMS];
    float idf_value[256];
    for (uint32_t i = 0; i < TERMS; i++) {
        const char word[] = {'w', (char)('0' + i / 10), (char)('0' + i % 10)};
        hash[i] = qac_hash(word, sizeof word, QAC_TERM_WORD);
        for (uint32_t j = i; j > 0 && hash[j - 1] > hash[j]; j--) {
            const uint64_t h = hash[j];
            hash[j] = hash[j - 1];
            hash[j - 1] = h;
        }
        idf[i] = (uint8_t)i;
        idf_value[i] = 1 + (float)i;
    }
    CHECK(qac_keys_build(hash, TERMS, BITS, bucket_end, key, place, &kept) == QAC_OK && kept == TERMS);

    const qac_vocabulary vocabulary = {.keys = {.bucket_end = bucket_end, .key = key, .bits = BITS, .n = TERMS},
                                       .idf = idf,
                                       .idf_value = idf_value};
    bool seen[TERMS] = {false};
    qac_feature out[QAC_MAX_TERMS];
    uint32_t n;
    for (uint32_t i = 0; i < TERMS; i++) {
        const char word[] = {'w', (char)('0' + i / 10), (char)('0' + i % 10)};
        CHECK(qac_vectorize(&WORDS, &vocabulary, word, sizeof word, out, &n) == QAC_OK);
        CHECK(n == 1 && out[0].id < TERMS && !seen[out[0].id] && fabsf(out[0].value - 1) < 1e-6f);
        CHECK(out[0].kind == QAC_TERM_WORD && out[0].begin == 0 && out[0].end == 3);
        seen[out[0].id] = true;
    }
    CHECK(qac_vectorize(&WORDS, &vocabulary, "v00", 3, out, &n) == QAC_OK && n == 0);
    const qac_vocabulary none = {0};
    CHECK(qac_vectorize(&WORDS, &none, "w00", 3, out, &n) == QAC_OK && n == 0);

    /* 3-4-5: of equal counts, idfs 3 and 4 make the vector (0.6, 0.8). */
    for (uint32_t i = 0; i < TERMS; i++)
        idf_value[i] = i % 2 ? 4 : 3;
    char doc[] = "w.. w..";
    bool found = false;
    for (uint32_t i = 0; i < TERMS && !found; i++) {
        memcpy(doc + 1, (const char[]){(char)('0' + i / 10), (char)('0' + i % 10)}, 2);
        memcpy(doc + 5, "00", 2);
        CHECK(qac_vectorize(&WORDS, &vocabulary, doc, strlen(doc), out, &n) == QAC_OK);
        if (n == 2 && out[0].id % 2 != out[1].id % 2) {
            found = true;
            CHECK(out[0].id < out[1].id);
            CHECK(fabsf(out[0].value - (out[0].id % 2 ? 0.8f : 0.6f)) < 1e-6f);
            CHECK(fabsf(out[1].value - (out[1].id % 2 ? 0.8f : 0.6f)) < 1e-6f);
        }
    }
    CHECK(found);
}

static void test_refusals(void)
{
    uint64_t hash[16], row_end[2];
    float count[16];
    uint32_t n;
    qac_vectorizer wrong[7];
    for (int i = 0; i < 7; i++)
        wrong[i] = WORDS;
    wrong[0].min_n = 0;
    wrong[1].min_n = 2;
    wrong[2].max_n = 65;
    wrong[3].history = 0;
    wrong[4].age_decay = 1.5f;
    wrong[5].age_decay = NAN;
    wrong[6].position_decay = -1;
    const qac_vocabulary none = {0};
    const uint64_t end = 1, backwards[] = {1, 0};
    qac_feature out[16];
    uint32_t id[16];
    for (int i = 0; i < 7; i++) {
        CHECK(qac_terms(&wrong[i], "a", 1, hash, count, NULL, &n) == QAC_EINVAL);
        CHECK(qac_terms_batch(&wrong[i], "a", &end, 1, hash, count, 16, row_end) == QAC_EINVAL);
        CHECK(qac_vectorize(&wrong[i], &none, "a", 1, out, &n) == QAC_EINVAL);
        CHECK(qac_vectorize_batch(&wrong[i], &none, "a", &end, 1, id, count, 16, row_end) == QAC_EINVAL);
    }
    CHECK(qac_terms_batch(&WORDS, "a", backwards, 2, hash, count, 16, row_end) == QAC_EINVAL);
    CHECK(qac_vectorize_batch(&WORDS, &none, "a", backwards, 2, id, count, 16, row_end) == QAC_EINVAL);
}

static void test_too_many_terms(void)
{
    enum { BYTES = 40000 };
    char *doc = allocate(BYTES);
    uint64_t hash[QAC_MAX_TERMS];
    float count[QAC_MAX_TERMS];
    uint32_t n;
    for (uint32_t i = 0; i < BYTES; i++)
        doc[i] = i % 5 == 4 ? ' ' : "0123456789abcdef"[random_below(16)];
    CHECK(qac_terms(&WORDS, doc, BYTES, hash, count, NULL, &n) == QAC_OK && n <= QAC_MAX_TERMS && n > QAC_MAX_TERMS / 2);
    CHECK(qac_terms(&CHARS, doc, BYTES, hash, count, NULL, &n) == QAC_OK && n <= QAC_MAX_TERMS);
    free(doc);
}

void test_features(void)
{
    test_golden();
    test_batches();
    test_vectors();
    test_refusals();
    test_too_many_terms();
}
