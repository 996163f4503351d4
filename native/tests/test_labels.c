/* test_labels.c - front-coded strings against an array of plain ones. */
#include "correct.h"
#include "test.h"

string_list make_strings(const char *const *strings, uint64_t n)
{
    string_list list = {NULL, allocate(n * sizeof(uint64_t)), n};
    uint64_t size = 0;
    for (uint64_t i = 0; i < n; i++)
        list.end[i] = size += strlen(strings[i]);
    list.text = allocate(size);
    for (uint64_t i = 0, at = 0; i < n; at = list.end[i++])
        memcpy(list.text + at, strings[i], list.end[i] - at);
    return list;
}

void free_strings(string_list *list)
{
    free(list->text);
    free(list->end);
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

enum { MOST = 100, LONGEST = 4095 };

/* Fills strings with distinct random ones, ascending; returns how many. Few letters, so that they share beginnings. */
static uint32_t random_strings(char **strings)
{
    static const char *const letters[] = {"a", "b", " ", "\xC3\xA9", "\xC3\xA8", "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x81"};
    uint32_t n = 1 + random_below(MOST);
    for (uint32_t i = 0; i < n; i++) {
        char s[64] = "";
        for (uint32_t j = 1 + random_below(7); j > 0; j--)
            strcat(s, letters[random_below(7)]);
        strings[i] = allocate(strlen(s) + 1);
        strcpy(strings[i], s);
    }
    qsort(strings, n, sizeof *strings, by_bytes);
    uint32_t out = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (out && strcmp(strings[out - 1], strings[i]) == 0)
            free(strings[i]);
        else
            strings[out++] = strings[i];
    }
    return out;
}

typedef struct {
    uint8_t *bytes;
    qac_label_block *block;
    qac_label_strings strings;
} encoded;

static encoded encode(const string_list *list)
{
    uint8_t *bytes = allocate(qac_labels_bound(list->end, list->n));
    uint64_t size = 0;
    qac_label_block *block = allocate((list->n + 15) / 16 * sizeof *block);
    CHECK(qac_labels_encode(list->text, list->end, list->n, bytes, block, &size) == QAC_OK);
    CHECK(size <= qac_labels_bound(list->end, list->n));
    uint8_t *exact = allocate(size); /* so that reading beyond the end shows */
    memcpy(exact, bytes, size);
    free(bytes);
    return (encoded){exact, block, {exact, size, block, (uint32_t)list->n, {0}}};
}

static void free_encoded(encoded *e)
{
    free(e->bytes);
    free(e->block);
}

static void check_place(const label_place *place, const char *key, size_t len, const char *label)
{
    size_t shared = 0;
    while (shared < len && label[shared] == key[shared])
        shared++;
    CHECK(place->shared == shared && place->from_key <= shared);
    CHECK(place->from_key + place->rest_len == strlen(label));
    CHECK(memcmp(label + place->from_key, place->rest, place->rest_len) == 0);
}

static void check_against_plain(char **plain, uint32_t n)
{
    string_list list = make_strings((const char *const *)plain, n);
    encoded e = encode(&list);
    char buffer[QAC_MAX_LABEL];
    for (uint32_t i = 0; i < n; i++) {
        const int len = qac_label_decode(&e.strings, i, buffer);
        size_t again;
        CHECK(qac_labels_decode(e.strings.text, e.strings.size, e.strings.block, n, i, buffer, &again) == QAC_OK &&
              again == (size_t)len);
        CHECK(len == (int)strlen(plain[i]) && memcmp(buffer, plain[i], (size_t)len) == 0);
    }
    CHECK(qac_label_decode(&e.strings, n, buffer) == -1);
    size_t unchanged = 7;
    CHECK(qac_labels_decode(e.strings.text, e.strings.size, e.strings.block, n, n, buffer, &unchanged) == QAC_ECORRUPT);
    CHECK(unchanged == 7);
    qac_label_strings paired = e.strings;
    CHECK(qac_label_find_pairs(&paired) == QAC_OK && (n == 0) == (paired.pairs.n == 0));
    for (int round = 0; round < 40; round++) {
        char key[80];
        strcpy(key, plain[random_below(n)]);
        key[random_below((uint32_t)strlen(key) + 1)] = '\0'; /* a prefix, perhaps cut inside a code point */
        if (random_below(3) == 0)
            strcat(key, random_below(2) ? "\x01" : "\xFF");
        const size_t len = strlen(key);
        uint32_t lower = 0, upper = 0;
        for (uint32_t i = 0; i < n; i++) {
            lower += strcmp(plain[i], key) < 0;
            upper += strncmp(plain[i], key, len) <= 0;
        }
        CHECK(qac_label_seek(&e.strings, key, len, false, 0, e.strings.n).at == lower);
        CHECK(qac_label_seek(&e.strings, key, len, true, 0, e.strings.n).at == upper);
        uint32_t begin, end;
        qac_label_range(&e.strings, key, len, &begin, &end);
        CHECK(begin == lower && end == upper);
        qac_label_range(&paired, key, len, &begin, &end);
        CHECK(begin == lower && end == upper);
        for (int side = 0; side < 2; side++) {
            const uint32_t bound = side ? upper : lower, lo = random_below(bound + 1), hi = lo + random_below(n - lo + 1);
            const label_place place = qac_label_seek(&e.strings, key, len, side, lo, hi);
            CHECK(place.at == (bound < hi ? bound : hi));
            CHECK(place.at < hi || place.shared == 0);
            if (place.at < hi)
                check_place(&place, key, len, plain[place.at]);
        }
    }
    uint32_t lcp[MOST];
    CHECK(qac_labels_lcp(list.text, list.end, n, lcp) == QAC_OK);
    CHECK(lcp[0] == 0);
    for (uint32_t i = 1; i < n; i++) {
        uint32_t shared = 0, whole = 0;
        for (; plain[i][shared] && plain[i - 1][shared] == plain[i][shared]; shared++)
            if (qac_starts_code_point(plain[i][shared]))
                whole = shared;
        if (qac_starts_code_point(plain[i][shared])) /* the end of the string does, too */
            whole = shared;
        CHECK(lcp[i] == whole);
    }
    qac_label_free_pairs(&paired);
    free_encoded(&e);
    free_strings(&list);
}

/* A string of any bytes: NULs end a head early, and shared beginnings of eight bytes or more leave heads equal. */
typedef struct {
    size_t len;
    char bytes[24];
} byte_string;

static byte_string random_bytes(void)
{
    static const char bytes[] = {'\0', '\0', '\x01', 'a', '\x7F', '\x80', '\xC3', '\xFF'};
    static const size_t lengths[] = {0, 1, 6, 7, 8, 9, 16};
    byte_string s = {.len = lengths[random_below(7)]};
    memset(s.bytes, bytes[random_below(2) * 3], s.len);
    for (uint32_t more = 1 + random_below(4); more > 0; more--)
        s.bytes[s.len++] = bytes[random_below(8)];
    return s;
}

static int compare_bytes(const void *a, const void *b)
{
    const byte_string *x = a, *y = b;
    const int order = memcmp(x->bytes, y->bytes, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static bool begins_with(const byte_string *s, const byte_string *key)
{
    return s->len >= key->len && memcmp(s->bytes, key->bytes, key->len) == 0;
}

enum { MOST_BYTES = 300 };

static uint32_t distinct_bytes(byte_string *all)
{
    uint32_t n = 1 + random_below(MOST_BYTES), out = 0;
    for (uint32_t i = 0; i < n; i++)
        all[i] = random_bytes();
    qsort(all, n, sizeof *all, compare_bytes);
    for (uint32_t i = 0; i < n; i++)
        if (out == 0 || compare_bytes(&all[out - 1], &all[i]) != 0)
            all[out++] = all[i];
    return out;
}

/* A key: one of the strings, cut or made longer, or any other. */
static byte_string random_key(const byte_string *all, uint32_t n)
{
    byte_string key = random_below(4) ? all[random_below(n)] : random_bytes();
    if (random_below(2))
        key.len = random_below((uint32_t)key.len + 1);
    else if (random_below(2))
        key.bytes[key.len++] = random_below(2) ? '\0' : '\xFF';
    return key;
}

static void check_bounds(const qac_label_strings *strings, const byte_string *all, uint32_t n, const byte_string *key)
{
    uint32_t lower = 0, upper = 0, is = QAC_NO_ID;
    for (uint32_t i = 0; i < n; i++) {
        const int order = compare_bytes(&all[i], key);
        lower += order < 0;
        upper += order < 0 || begins_with(&all[i], key);
        if (order == 0)
            is = i;
    }
    CHECK(qac_label_seek(strings, key->bytes, key->len, false, 0, strings->n).at == lower);
    CHECK(qac_label_seek(strings, key->bytes, key->len, true, 0, strings->n).at == upper);
    CHECK(qac_label_find(strings, key->bytes, key->len, 0, n) == is);
    for (uint32_t lo = 0; lo <= lower; lo += 1 + random_below(20)) {
        const uint32_t hi = lo + random_below(n - lo + 1);
        CHECK(qac_label_seek(strings, key->bytes, key->len, false, lo, hi).at == (lower < hi ? lower : hi));
        CHECK(qac_label_seek(strings, key->bytes, key->len, true, lo, hi).at == (upper < hi ? upper : hi));
        CHECK(qac_label_find(strings, key->bytes, key->len, lo, hi) == (is < hi ? is : QAC_NO_ID));
    }
}

static void test_heads(void)
{
    static byte_string all[MOST_BYTES];
    for (int round = 0; round < 100; round++) {
        const uint32_t n = distinct_bytes(all);
        string_list list = {allocate(MOST_BYTES * sizeof all[0].bytes), allocate(n * sizeof(uint64_t)), n};
        uint64_t size = 0;
        for (uint32_t i = 0; i < n; i++) {
            memcpy(list.text + size, all[i].bytes, all[i].len);
            list.end[i] = size += all[i].len;
        }
        encoded e = encode(&list);
        for (uint32_t block = 0; block < (n + 15) / 16; block++) {
            const byte_string *first = &all[16 * block];
            for (size_t i = 0; i < 8; i++)
                CHECK((uint8_t)(e.block[block].head >> (56 - 8 * i)) == (i < first->len ? (uint8_t)first->bytes[i] : 0));
        }
        for (int keys = 0; keys < 40; keys++) {
            const byte_string key = random_key(all, n);
            check_bounds(&e.strings, all, n, &key);
        }
        free_encoded(&e);
        free_strings(&list);
    }
}

static void test_refusals(void)
{
    const char *const unsorted[] = {"b", "a"}, *const equal[] = {"a", "a"}, *const prefix[] = {"ab", "a"};
    const char *const *const wrong[] = {unsorted, equal, prefix};
    uint8_t out[64];
    qac_label_block block[1];
    uint64_t size;
    for (int i = 0; i < 3; i++) {
        string_list list = make_strings(wrong[i], 2);
        CHECK(qac_labels_encode(list.text, list.end, 2, out, block, &size) == QAC_EINVAL);
        free_strings(&list);
    }
    const uint64_t backwards[] = {2, 1};
    uint32_t lcp[2];
    CHECK(qac_labels_encode("ab", backwards, 2, out, block, &size) == QAC_EINVAL);
    CHECK(qac_labels_lcp("ab", backwards, 2, lcp) == QAC_EINVAL);
    CHECK(qac_labels_bound(NULL, 0) == 0);
    CHECK(qac_labels_encode(NULL, NULL, 0, out, block, &size) == QAC_OK && size == 0);
}

static void test_longest(void)
{
    for (uint64_t length = LONGEST; length <= LONGEST + 1; length++) {
        char *text = allocate(length);
        memset(text, 'x', length);
        uint8_t *out = allocate(qac_labels_bound(&length, 1));
        qac_label_block block;
        uint64_t size;
        const int status = qac_labels_encode(text, &length, 1, out, &block, &size);
        CHECK(status == (length == LONGEST ? QAC_OK : QAC_EINVAL));
        if (status == QAC_OK) {
            char buffer[QAC_MAX_LABEL];
            const qac_label_strings strings = {out, size, &block, 1, {0}};
            CHECK(qac_label_decode(&strings, 0, buffer) == LONGEST && memcmp(buffer, text, length) == 0);
            CHECK(qac_label_seek(&strings, text, length, false, 0, 1).at == 0);
            CHECK(qac_label_seek(&strings, text, length, true, 0, 1).at == 1);
        }
        free(text);
        free(out);
    }
}

/* Whatever the bytes, reading stays inside them. */
static void test_noise(void)
{
    char buffer[QAC_MAX_LABEL];
    for (int round = 0; round < 2000; round++) {
        const uint64_t size = random_below(60);
        uint8_t *bytes = allocate(size);
        for (uint64_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)(random_below(2) ? random_below(8) : random_bits());
        const qac_label_block block[3] = {{0, random_bits()}, {random_below(80), random_bits()}, {random_bits(), random_bits()}};
        qac_label_strings strings = {bytes, size, block, 1 + random_below(48), {0}};
        CHECK(round % 2 == 0 || qac_label_find_pairs(&strings) == QAC_OK);
        for (uint32_t i = 0; i < 50; i++)
            CHECK(qac_label_decode(&strings, i, buffer) < QAC_MAX_LABEL);
        CHECK(qac_label_seek(&strings, "ab", 2, false, 0, strings.n).at <= strings.n);
        CHECK(qac_label_seek(&strings, "ab", 2, true, 0, strings.n).at <= strings.n);
        reading readings[CORRECT_MOST];
        float weight[48];
        for (int i = 0; i < 48; i++)
            weight[i] = 1;
        const label_weights weights = {.count = weight};
        const uint32_t found = correct_prefix(&strings, &weights, "\x01\x02\x03", 3, 0, 0, readings);
        for (uint32_t i = 0; i < found; i++)
            CHECK(readings[i].lo < readings[i].hi && readings[i].hi <= strings.n);
        qac_label_free_pairs(&strings);
        free(bytes);
    }
}

void test_labels(void)
{
    for (int round = 0; round < 200; round++) {
        char *plain[MOST];
        const uint32_t n = random_strings(plain);
        check_against_plain(plain, n);
        for (uint32_t i = 0; i < n; i++)
            free(plain[i]);
    }
    test_heads();
    test_refusals();
    test_longest();
    test_noise();
}
