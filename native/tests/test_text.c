/* test_text.c - result codes, and the arithmetic that all results rest on. */
#include <math.h>

#include "test.h"

static void test_normal_form(void)
{
    const char *normal[] = {"", "a", "digital camera", "x2 ~!", "new york", "a b c"};
    const char *not_normal[] = {" ", " a", "a  b", "A", "a\tb", "a\x7f", "caf\xc3\xa9", "\x01", "a b  "};
    for (size_t i = 0; i < sizeof normal / sizeof *normal; i++)
        for (int whole = 0; whole < 2; whole++)
            CHECK(qac_is_normal(normal[i], strlen(normal[i]), whole));
    for (size_t i = 0; i < sizeof not_normal / sizeof *not_normal; i++)
        for (int whole = 0; whole < 2; whole++)
            CHECK(!qac_is_normal(not_normal[i], strlen(not_normal[i]), whole));
    CHECK(qac_is_normal("new ", 4, 0) && !qac_is_normal("new ", 4, 1));
    CHECK(qac_is_normal("a\nb c", 5, 1) && !qac_is_normal("a\nb", 3, 0));
    const char *no_lines[] = {"\n", "\na", "a\n", "a\n\nb", "a \nb", "a\n b"};
    for (size_t i = 0; i < sizeof no_lines / sizeof *no_lines; i++)
        CHECK(!qac_is_normal(no_lines[i], strlen(no_lines[i]), 1));
    CHECK(!qac_is_normal("a\0b", 3, 1));
}

void test_text(void)
{
    test_normal_form();
    const char *names[] = {"QAC_OK", "QAC_ENOMEM", "QAC_EINVAL", "QAC_ECORRUPT", "QAC_ECANCELLED", "QAC_EFORM"};
    for (int code = 0; code < 6; code++)
        CHECK(strncmp(qac_strerror(code), names[code], strlen(names[code])) == 0);
    CHECK(qac_strerror(-1) && qac_strerror(99));

    CHECK(qac_exp(0) == 1);
    double before = 0;
    for (double x = -700; x <= 700; x += 0.37) {
        const double e = qac_exp(x);
        CHECK(fabs(e / exp(x) - 1) < 1e-9);
        CHECK(e > before);
        before = e;
    }
    CHECK(qac_exp(1e300) == qac_exp(700) && qac_exp(-1e300) == qac_exp(-700));
    CHECK(qac_exp(INFINITY) == qac_exp(700) && qac_exp(-INFINITY) == qac_exp(-700));
    CHECK(qac_exp((double)NAN) > 0); /* any number will do, but it must be one */

    CHECK(qac_alloc(UINT64_MAX, 2) == NULL);
    void *p = qac_alloc(0, 8);
    CHECK(p != NULL);
    free(p);
}
