/* test_counting.c - words are numbered as they come, reuse is counted by hand; what contradicts itself is refused. */
#include "test.h"

static void test_words(void)
{
    static const char *const texts[] = {"red shoes", "shoes", "", "a b a", "red  hat"};
    static const uint32_t expected[] = {0, 1, 1, 2, 3, 4, 3, 0, 2, 5}; /* the third is no word at all, as between spaces */
    string_list list = make_strings(texts, 5);
    uint32_t word[16], n;
    uint64_t word_end[5], begin[16], end[16];
    CHECK(qac_words(list.text, list.end, 5, word, word_end, 16, begin, end, &n) == QAC_OK && n == 6);
    CHECK(word_end[0] == 2 && word_end[1] == 3 && word_end[2] == 4 && word_end[3] == 7 && word_end[4] == 10);
    CHECK(!memcmp(word, expected, sizeof expected));
    CHECK(end[1] - begin[1] == 5 && !memcmp(list.text + begin[1], "shoes", 5) && begin[2] == end[2]);
    CHECK(qac_words(list.text, list.end, 5, word, word_end, 9, begin, end, &n) == QAC_EINVAL);
    const uint64_t backwards[] = {9, 3};
    CHECK(qac_words(list.text, backwards, 2, word, word_end, 16, begin, end, &n) == QAC_EINVAL);
    free_strings(&list);
}

/* More words than the table begins with, each twice. */
static void test_many_words(void)
{
    enum { N = 20000 };
    char *text = allocate(N * 8);
    uint64_t *text_end = allocate(N * sizeof *text_end), *word_end = allocate(N * sizeof *word_end);
    uint64_t *begin = allocate(N * sizeof *begin), *end = allocate(N * sizeof *end);
    uint32_t *word = allocate(N * sizeof *word), n;
    uint64_t size = 0;
    for (uint32_t i = 0; i < N; i++) {
        char number[16];
        const int length = snprintf(number, sizeof number, "w%u", i % (N / 2));
        memcpy(text + size, number, (size_t)length);
        text_end[i] = size += (uint64_t)length;
    }
    CHECK(qac_words(text, text_end, N, word, word_end, N, begin, end, &n) == QAC_OK && n == N / 2);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < N; i++)
        wrong += word[i] != i % (N / 2) || word_end[i] != i + 1;
    CHECK(wrong == 0);
    fail_allocation(3);
    const int status = qac_words(text, text_end, N, word, word_end, N, begin, end, &n);
    CHECK(status == (has_failed() ? QAC_ENOMEM : QAC_OK));
    fail_allocation(0);
    free(text), free(text_end), free(word_end), free(begin), free(end), free(word);
}

/* Queries: 0 "a b", 1 "b", 2 "a". After 0 and 1 comes 0, three times; 2 alone comes without a session. */
static void test_reuse(void)
{
    static const uint32_t word[] = {0, 1, 1, 0}, query[] = {0, 1, 0, 2};
    static const uint64_t word_end[] = {2, 3, 4}, example_end[] = {3, 4};
    static const double count[] = {3, 5};
    qac_reuse r;
    CHECK(qac_count_reuse(word, word_end, 3, 2, query, example_end, count, 2, &r) == QAC_OK);
    CHECK(r.queries[1][0] == 3 && r.queries[1][1] == 3 && r.queries[0][1] == 0 && r.queries[2][1] == 0);
    CHECK(r.words[0][0] == 3 && r.words[0][1] == 3); /* b */
    CHECK(r.words[1][0] == 3 && r.words[1][1] == 3); /* a: b is newer */
    CHECK(r.next[0][0] == 0 && r.next[0][1] == 3 && r.next[1][0] == 3 && r.next[1][1] == 3 && r.next[2][1] == 0);
    CHECK(qac_count_reuse(word, word_end, 2, 2, query, example_end, count, 2, &r) == QAC_EINVAL);
    fail_allocation(1);
    const int status = qac_count_reuse(word, word_end, 3, 2, query, example_end, count, 2, &r);
    CHECK(status == (has_failed() ? QAC_ENOMEM : QAC_OK));
    fail_allocation(0);
}

void test_counting(void)
{
    test_words();
    test_many_words();
    test_reuse();
}
