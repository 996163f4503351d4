/* words.c - texts to numbered words: what training counts by. */
#include "core.h"

/* Distinct words in the order in which they come, found by their hashes; words of one hash are told apart by their bytes. */
typedef struct {
    const char *text;
    uint64_t *begin, *end; /* the caller's: of each word's first occurrence */
    uint32_t n;
    uint32_t *slot;        /* [slots] a word + 1; 0: free */
    uint64_t slots;        /* a power of two, at most two thirds full */
} word_table;

static uint64_t find_slot(const word_table *t, uint64_t begin, uint64_t end)
{
    const size_t size = (size_t)(end - begin);
    uint64_t at = qac_hash(t->text + begin, size, 0) & (t->slots - 1);
    for (; t->slot[at]; at = (at + 1) & (t->slots - 1)) {
        const uint32_t word = t->slot[at] - 1;
        if (t->end[word] - t->begin[word] == size && !memcmp(t->text + t->begin[word], t->text + begin, size))
            break;
    }
    return at;
}

static bool enlarge(word_table *t)
{
    const uint64_t slots = t->slots ? 2 * t->slots : 1024;
    uint32_t *slot = qac_alloc(slots, sizeof *slot);
    if (!slot)
        return false;
    memset(slot, 0, slots * sizeof *slot);
    free(t->slot);
    t->slot = slot;
    t->slots = slots;
    for (uint32_t word = 0; word < t->n; word++)
        t->slot[find_slot(t, t->begin[word], t->end[word])] = word + 1;
    return true;
}

int qac_words(const char *text, const uint64_t *text_end, uint64_t texts, uint32_t *word, uint64_t *word_end,
              uint64_t capacity, uint64_t *begin, uint64_t *end, uint32_t *n)
{
    word_table t = {.text = text, .begin = begin, .end = end};
    uint64_t at = 0, used = 0;
    int status = QAC_OK;
    for (uint64_t i = 0; i < texts && !status; word_end[i++] = used) {
        if (text_end[i] < at) {
            status = QAC_EINVAL;
            break;
        }
        for (bool more = true; more && !status; at++) { /* past the space, or the text's end */
            uint64_t stop = at;
            while (stop < text_end[i] && text[stop] != ' ')
                stop++;
            more = stop < text_end[i];
            if (used == capacity || t.n == QAC_NO_ID - 1u) {
                status = QAC_EINVAL;
            } else if (t.n >= t.slots - t.slots / 3 && !enlarge(&t)) {
                status = QAC_ENOMEM;
            } else {
                uint32_t *slot = &t.slot[find_slot(&t, at, stop)];
                if (!*slot) {
                    begin[t.n] = at;
                    end[t.n] = stop;
                    *slot = ++t.n;
                }
                word[used++] = *slot - 1;
            }
            at = stop;
        }
        at = text_end[i];
    }
    free(t.slot);
    *n = t.n;
    return status;
}
