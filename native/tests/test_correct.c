/* test_correct.c - prefixes with one typing error, against all that can be made of them. */
#include "correct.h"
#include "test.h"

/* P(typed | meant): missing or swapped letters, and wrong or additional ones; half of it for the first letter. */
static const double SURE = 6e-5, ANY = 6e-7;

enum { LABELS = 1200, FEW = 24, ROOM = 48 };

static uint32_t letters_of(const char *s, const char *at[])
{
    uint32_t n = 0;
    for (; *s; s++)
        if (qac_starts_code_point(*s))
            at[n++] = s;
    at[n] = s;
    return n;
}

static bool same_letters(const char **a, uint32_t i, const char **b, uint32_t j, uint32_t n)
{
    const size_t a_len = (size_t)(a[i + n] - a[i]), b_len = (size_t)(b[j + n] - b[j]);
    return a_len == b_len && memcmp(a[i], b[j], a_len) == 0;
}

/* The likeliest way from `meant` to `typed` by one error. */
static double plain_likelihood(const char *typed, const char *meant)
{
    const char *t[ROOM], *m[ROOM];
    const uint32_t n = letters_of(typed, t), k = letters_of(meant, m);
    double best = 0;
    for (uint32_t i = 0; i < n && same_letters(t, 0, m, 0, i < k ? i : k) && i <= k; i++) {
        double p = 0;
        if (k + 1 == n && same_letters(t, i + 1, m, i, n - i - 1))
            p = i + 1 == n ? 2 * ANY : ANY; /* the last: too many, or wrong */
        else if (k == n && i + 1 < n && same_letters(t, i + 1, m, i + 1, n - i - 1) && !same_letters(t, i, m, i, 1))
            p = ANY;
        else if (k == n + 1 && same_letters(t, i, m, i + 1, n - i))
            p = SURE;
        else if (k == n && i + 2 <= n && same_letters(t, i, m, i + 1, 1) && same_letters(t, i + 1, m, i, 1) &&
                 same_letters(t, i + 2, m, i + 2, n - i - 2) && !same_letters(t, i, t, i + 1, 1))
            p = SURE;
        p *= i == 0 ? 0.5 : 1;
        best = p > best ? p : best;
    }
    return best;
}

static bool begins_with(const char *s, const char *prefix) { return strncmp(s, prefix, strlen(prefix)) == 0; }

/* Masses of all readings, largest first; returns how many. */
static uint32_t plain_readings(char **labels, const float *weight, uint32_t n, const char *typed, double *mass)
{
    static char seen[LABELS * ROOM][ROOM];
    uint32_t found = 0;
    for (uint32_t i = 0; i < n; i++) {
        const char *at[ROOM];
        const uint32_t letters = letters_of(labels[i], at);
        for (uint32_t k = 1; k <= letters; k++) {
            char meant[ROOM] = "";
            memcpy(meant, labels[i], (size_t)(at[k] - labels[i]));
            bool again = false;
            for (uint32_t j = 0; j < found && !again; j++)
                again = strcmp(seen[j], meant) == 0;
            const double likelihood = plain_likelihood(typed, meant);
            double sum = 0;
            for (uint32_t j = 0; j < n && likelihood > 0 && !again; j++)
                if (begins_with(labels[j], meant) && !begins_with(labels[j], typed))
                    sum += weight[j];
            if (again || likelihood * sum == 0)
                continue;
            strcpy(seen[found], meant);
            uint32_t place = found++;
            for (; place > 0 && mass[place - 1] < likelihood * sum; place--)
                mass[place] = mass[place - 1];
            mass[place] = likelihood * sum;
        }
    }
    return found;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void random_text(char *out, uint32_t most)
{
    static const char *const letters[] = {"a", "b", " ", "\xC3\xA9", "\xC3\xA8", "\xF0\x9F\x98\x80"};
    *out = 0;
    for (uint32_t j = 1 + random_below(most); j > 0; j--)
        strcat(out, letters[random_below(random_below(2) ? 2 : 6)]);
}

/* Of few labels all are read, among many what is meant is sought: by pairs of bytes, or without them. */
static void check_against_plain(int rounds, uint32_t drawn, uint32_t enough)
{
    uint32_t several = 0;
    for (int round = 0; round < rounds; round++) {
        static char text[LABELS][ROOM], *labels[LABELS];
        uint32_t n = 0;
        for (uint32_t i = 0; i < drawn; i++) {
            random_text(text[i], 8);
            labels[i] = text[i];
        }
        qsort(labels, drawn, sizeof *labels, by_bytes);
        for (uint32_t i = 0; i < drawn; i++)
            if (i == 0 || strcmp(labels[n - 1], labels[i]) != 0)
                labels[n++] = labels[i];
        static float weight[LABELS];
        for (uint32_t i = 0; i < n; i++)
            weight[i] = (float)(1 + random_below(1000));
        string_list list = make_strings((const char *const *)labels, n);
        uint8_t *bytes = allocate(qac_labels_bound(list.end, n));
        static qac_label_block block[LABELS / QAC_LABEL_BLOCK + 1];
        uint64_t size;
        CHECK(qac_labels_encode(list.text, list.end, n, bytes, block, &size) == QAC_OK);
        qac_label_strings strings = {bytes, size, block, n, {0}};
        CHECK(round % 2 == 0 || qac_label_find_pairs(&strings) == QAC_OK);
        char typed[ROOM];
        random_text(typed, 6);
        uint32_t lo = 0, hi = 0;
        for (uint32_t i = 0; i < n; i++) {
            lo += strcmp(labels[i], typed) < 0;
            hi += strncmp(labels[i], typed, strlen(typed)) <= 0;
        }
        reading out[CORRECT_MOST];
        static double mass[LABELS * ROOM];
        const char *at[ROOM];
        const label_weights weights = {.count = weight};
        const uint32_t found = correct_prefix(&strings, &weights, typed, strlen(typed), lo, hi, out);
        const bool is_short = letters_of(typed, at) < CORRECT_SHORTEST;
        const uint32_t all = is_short ? 0 : plain_readings(labels, weight, n, typed, mass);
        CHECK(found == (all < CORRECT_MOST ? all : CORRECT_MOST));
        several += found > 1;
        for (uint32_t i = 0; i < found; i++) {
            CHECK(out[i].mass > mass[i] * (1 - 1e-9) && out[i].mass < mass[i] * (1 + 1e-9));
            char meant[ROOM] = "";
            memcpy(meant, labels[out[i].lo], out[i].len);
            CHECK(out[i].likelihood == plain_likelihood(typed, meant));
            for (uint32_t j = 0; j < n; j++)
                CHECK(begins_with(labels[j], meant) == (j >= out[i].lo && j < out[i].hi));
        }
        qac_label_free_pairs(&strings);
        free(bytes);
        free_strings(&list);
    }
    CHECK(several > enough);
}

static void test_against_plain(void)
{
    check_against_plain(3000, FEW, 200);
    check_against_plain(60, LABELS, 30);
}

/* Too long, too short, no UTF-8: no reading, no harm. */
static void test_limits(void)
{
    char label[CORRECT_LONGEST + 8], typed[CORRECT_LONGEST + 8];
    memset(label, 'a', sizeof label);
    label[sizeof label - 1] = 0;
    memcpy(typed, label, sizeof label);
    const char *const labels[] = {label}, *const others[] = {"b\xC3", "b\xC3\xA9\xA9\xA9\xA9\xA9", "b\xFF\xFF"};
    const float weight[] = {1, 1, 1};
    const label_weights weights = {.count = weight};
    string_list list = make_strings(labels, 1);
    uint8_t bytes[2 * sizeof label];
    qac_label_block block;
    uint64_t size;
    reading out[CORRECT_MOST];
    CHECK(qac_labels_encode(list.text, list.end, 1, bytes, &block, &size) == QAC_OK);
    qac_label_strings strings = {bytes, size, &block, 1, {0}};
    typed[CORRECT_LONGEST - 2] = 'b'; /* too many, or wrong */
    CHECK(correct_prefix(&strings, &weights, typed, CORRECT_LONGEST, 0, 0, out) == 2);
    CHECK(out[0].len + out[1].len == 2 * CORRECT_LONGEST - 1);
    CHECK(correct_prefix(&strings, &weights, typed, CORRECT_LONGEST + 1, 0, 0, out) == 0);
    CHECK(correct_prefix(&strings, &weights, "aba", 3, 0, 0, out) == 2);
    CHECK(correct_prefix(&strings, &weights, "ab", 2, 0, 0, out) == 0);
    CHECK(correct_prefix(&strings, &weights, "\xC3\xA9\xC3\xA9", 4, 0, 0, out) == 0);
    free_strings(&list);
    list = make_strings(others, 3);
    CHECK(qac_labels_encode(list.text, list.end, 3, bytes, &block, &size) == QAC_OK);
    strings = (qac_label_strings){bytes, size, &block, 3, {0}};
    static const char *const prefixes[] = {"abc", "b\xC3z", "\xFF\xFF\xFF", "b\xFFz\xFF", "\xA9\xA9\xA9\xA9zzz", "bb\xC3\xA9"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        const uint32_t n = correct_prefix(&strings, &weights, prefixes[i], strlen(prefixes[i]), 0, 0, out);
        for (uint32_t j = 0; j < n; j++)
            CHECK(out[j].lo < out[j].hi && out[j].hi <= 3);
    }
    free_strings(&list);
}

/* In a request: below what starts with the prefix, where few do, and only if wanted. */
static void test_requests(void)
{
    sample s = make_sample();
    qac_model *m;
    qac_scratch *w;
    qac_answer a[8];
    uint32_t n;
    CHECK(qac_model_open(&s.parts, &m) == QAC_OK && qac_scratch_new(m, &w) == QAC_OK);
    static const char *const sessions[] = {"", "x", "y x"};
    for (size_t i = 0; i < sizeof sessions / sizeof *sessions; i++) {
        CHECK(ask_for(m, w, "abfx", sessions[i], 8, 0, 0, a, &n) == QAC_OK && n == 0);
        CHECK(ask_for(m, w, "abfx", sessions[i], 8, 0, QAC_CORRECT, a, &n) == QAC_OK && n == 2);
        double sum = 0;
        for (uint32_t j = 0; j < n; j++) {
            CHECK(a[j].source == QAC_CORRECTED && a[j].meant == 3 && a[j].composed == 0);
            CHECK(a[j].label == 4 || a[j].label == 5);
            sum += a[j].score;
        }
        CHECK(sum > 1 - 1e-9 && sum < 1 + 1e-9);
        CHECK(ask_for(m, w, "bdcf", sessions[i], 8, 0, QAC_CORRECT, a, &n) == QAC_OK && n == 1 && a[0].label == 7);
        CHECK(a[0].meant == 4 && a[0].score == 1);
        /* Two labels start so, and no other is so much likelier. */
        CHECK(ask_for(m, w, "abf", sessions[i], 8, 0, QAC_CORRECT, a, &n) == QAC_OK && n == 2);
        CHECK(a[0].source == QAC_INDEX && a[1].source == QAC_INDEX && a[0].meant == 3);
    }
    CHECK(ask_for(m, w, "abfx", "", 8, 0, 8, a, &n) == QAC_EINVAL && n == 0);
    qac_scratch_free(w);
    qac_model_close(m);
    free_sample(&s);
}

void test_correct(void)
{
    test_against_plain();
    test_limits();
    test_requests();
}
