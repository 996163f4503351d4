/* correct.h - what may have been meant by a prefix with one typing error. */
#ifndef QAC_CORRECT_H
#define QAC_CORRECT_H

#include "core.h"

enum {
    CORRECT_SHORTEST = 3,  /* code points: one error away from less is nearly everything */
    CORRECT_LONGEST = 256, /* bytes; longer prefixes are not corrected */
    CORRECT_MOST = 4       /* readings of one prefix that are looked at */
};

/* A prefix one error away from the typed one, and the labels that start with it. */
typedef struct {
    uint32_t lo, hi;
    uint32_t len;       /* bytes of the prefix that was meant: the labels' first ones */
    double likelihood;  /* P(typed | meant) */
    double mass;        /* of the labels that are new to the answer, times the likelihood */
    uint64_t order;     /* among readings of equal mass */
} reading;

/* Finds what may have been meant by `typed` instead, largest mass first; returns how many. weight: of the labels.
 * lo, hi: the labels that do start with `typed`. */
uint32_t correct_prefix(const qac_label_strings *labels, const label_weights *weight, const char *typed, size_t len,
                        uint32_t lo, uint32_t hi, reading out[CORRECT_MOST]);

#endif
