/* test_vocabulary.c - tables from hashes to ids, against the sorted hashes themselves. */
#include <math.h>

#include "test.h"

enum { MOST = 300 };

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Of numbers of any width, any range of them and any bound: as a walk finds it. */
static void test_bounds(void)
{
    enum { NUMBERS = 44, FIRST = 3 };
    uint8_t numbers[NUMBERS * 4];
    for (uint32_t width = 1; width <= 4; width++) {
        uint32_t x = 0, value[NUMBERS];
        for (uint32_t i = 0; i < NUMBERS; i++) {
            value[i] = x += i * 7 % 4 ? (width > 1 && i > 20 ? 259 : 2) : 0;
            memcpy(numbers + i * width, &x, width);
        }
        for (uint32_t end = FIRST; end <= NUMBERS; end++)
            for (uint32_t sought = 0; sought <= x + 1; sought++) {
                uint32_t at = FIRST;
                while (at < end && value[at] < sought)
                    at++;
                CHECK(qac_number_bound(numbers, width, FIRST, end, sought) == at);
            }
        CHECK(qac_number(numbers, width, NUMBERS - 1) == x);
    }
}

/* Keys are 32 bits behind 2, which name buckets: these have 2, 0, 1 and 1 of them. */
static void test_golden(void)
{
    const uint64_t hash[] = {0x0000000040000000, 0x3000000000000000, 0x8000000080000000, 0xFFFFFFFFFFFFFFFF};
    uint32_t bucket_end[4], key[4], place[4], kept;
    CHECK(qac_keys_build(hash, 4, 2, bucket_end, key, place, &kept) == QAC_OK && kept == 4);
    CHECK(bucket_end[0] == 2 && bucket_end[1] == 2 && bucket_end[2] == 3 && bucket_end[3] == 4);
    CHECK(key[0] == 1 && key[1] == 0xC0000000 && key[2] == 2 && key[3] == 0xFFFFFFFF);
    const uint32_t id[] = {7, 5, 3, 1};
    const qac_keys places = {.bucket_end = bucket_end, .key = key, .bits = 2, .n = 4};
    const qac_keys ids = {.bucket_end = bucket_end, .key = key, .id = id, .bits = 2, .n = 4};
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(qac_keys_find(&places, hash[i]) == i && qac_keys_find(&ids, hash[i]) == 7 - 2 * i);
        CHECK(qac_keys_find(&places, hash[i] ^ 1) == i); /* the last 30 bits do not count */
        CHECK(qac_keys_find(&places, hash[i] ^ 1u << 30) == QAC_NO_ID);
        CHECK(qac_keys_find(&places, hash[i] ^ (uint64_t)1 << 62) == QAC_NO_ID);
    }
}

/* Of hashes that agree in all bits that count the first is kept. */
static void test_equal_keys(void)
{
    const uint64_t hash[] = {5, 6, (uint64_t)1 << 31, ((uint64_t)1 << 31) + 1, (uint64_t)1 << 63};
    uint32_t bucket_end[2], key[5], place[5], kept;
    CHECK(qac_keys_build(hash, 5, 1, bucket_end, key, place, &kept) == QAC_OK && kept == 3);
    CHECK(place[0] == 0 && place[1] == 2 && place[2] == 4);
    const qac_keys keys = {.bucket_end = bucket_end, .key = key, .bits = 1, .n = kept};
    CHECK(qac_keys_find(&keys, 5) == 0 && qac_keys_find(&keys, 6) == 0);
    CHECK(qac_keys_find(&keys, hash[2]) == 1 && qac_keys_find(&keys, hash[3]) == 1 && qac_keys_find(&keys, hash[4]) == 2);
}

static void test_against_all(void)
{
    uint64_t hash[MOST];
    uint32_t key[MOST], place[MOST], kept;
    for (uint32_t round = 0; round < 100; round++) {
        const uint32_t n = random_below(MOST), bits = 1 + random_below(10);
        uint32_t *bucket_end = allocate(sizeof(uint32_t) << bits);
        for (uint32_t i = 0; i < n; i++)
            hash[i] = random_bits();
        qsort(hash, n, sizeof *hash, by_value);
        CHECK(qac_keys_build(hash, n, bits, bucket_end, key, place, &kept) == QAC_OK && kept == n);
        const qac_keys keys = {.bucket_end = bucket_end, .key = key, .bits = bits, .n = n};
        for (uint32_t i = 0; i < n; i++)
            CHECK(place[i] == i && qac_keys_find(&keys, hash[i]) == i);
        for (uint32_t i = 0; i < 100; i++)
            CHECK(qac_keys_find(&keys, random_bits()) == QAC_NO_ID);
        free(bucket_end);
    }
}

static void test_refusals(void)
{
    const uint64_t twice[] = {5, 5}, backwards[] = {5, 4};
    uint32_t bucket_end[2], key[2], place[2], kept;
    CHECK(qac_keys_build(twice, 2, 1, bucket_end, key, place, &kept) == QAC_EINVAL);
    CHECK(qac_keys_build(backwards, 2, 1, bucket_end, key, place, &kept) == QAC_EINVAL);
    CHECK(qac_keys_build(twice, 1, 0, bucket_end, key, place, &kept) == QAC_EINVAL);
    CHECK(qac_keys_build(twice, 1, QAC_MAX_BITS + 1, bucket_end, key, place, &kept) == QAC_EINVAL);
    CHECK(qac_keys_build(NULL, 0, 1, bucket_end, NULL, NULL, &kept) == QAC_OK && kept == 0);
    const qac_keys none = {0};
    CHECK(qac_keys_find(&none, 5) == QAC_NO_ID);
}

static void test_bits(void)
{
    CHECK(qac_keys_bits(0) == 1 && qac_keys_bits(15) == 1 && qac_keys_bits(16) == 2);
    CHECK(qac_keys_bits(UINT32_MAX) == 29);
    for (uint32_t n = 8; n < 100000; n = n * 9 / 8)
        CHECK(n >> qac_keys_bits(n) >= 4 && n >> qac_keys_bits(n) < 8);
}

/* Buckets that end before they begin, or beyond the keys. */
static void test_damage_of_buckets(void)
{
    const uint32_t key[] = {1, 2};
    for (uint32_t round = 0; round < 1000; round++) {
        const uint32_t bucket_end[] = {random_below(4), random_below(4)};
        const qac_keys keys = {.bucket_end = bucket_end, .key = key, .bits = 1, .n = 2};
        const uint32_t id = qac_keys_find(&keys, (uint64_t)random_below(4) << 31 | (uint64_t)random_below(2) << 63);
        CHECK(id < 2 || id == QAC_NO_ID);
    }
}

/* "sljz" and "kfnf" are found by trying: their hashes agree in the first 33 bits. */
static void test_terms_that_count_as_one(void)
{
    static const qac_vectorizer words = {.kinds = QAC_TERM_WORD, .min_n = 1, .max_n = 1, .history = 1, .word_weight = 1};
    const uint64_t a = qac_hash("sljz", 4, QAC_TERM_WORD), b = qac_hash("kfnf", 4, QAC_TERM_WORD);
    CHECK(a != b && a >> 31 == b >> 31);
    const uint64_t other = qac_hash("other", 5, QAC_TERM_WORD);
    CHECK(other > a);
    const uint64_t hash[] = {a, other};
    const uint8_t idf[] = {1, 0};
    const float idf_value[256] = {4, 1.5f};
    uint32_t bucket_end[2], key[2], place[2], kept, n;
    CHECK(qac_keys_build(hash, 2, 1, bucket_end, key, place, &kept) == QAC_OK && kept == 2);
    const qac_vocabulary v = {.keys = {.bucket_end = bucket_end, .key = key, .bits = 1, .n = 2},
                              .idf = idf,
                              .idf_value = idf_value};
    qac_feature out[QAC_MAX_TERMS];
    CHECK(qac_vectorize(&words, &v, "sljz other kfnf", 15, out, &n) == QAC_OK && n == 2); /* 1.5 + 1.5 and 4: 3-4-5 */
    CHECK(out[0].id == 0 && fabsf(out[0].value - 0.6f) < 1e-6f && out[1].id == 1 && fabsf(out[1].value - 0.8f) < 1e-6f);
}

void test_vocabulary(void)
{
    test_bounds();
    test_golden();
    test_equal_keys();
    test_against_all();
    test_refusals();
    test_bits();
    test_damage_of_buckets();
    test_terms_that_count_as_one();
}
