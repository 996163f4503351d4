/* model.h - an open model and the work space of its callers. */
#ifndef QAC_MODEL_H
#define QAC_MODEL_H

#include "core.h"

struct qac_model {
    qac_parts parts;
    qac_label_strings strings;
    uint32_t max_children;
};

/* A node waiting to be expanded. Its probability is lift * (mass of its labels in range): the session changes the lift,
 * mass alone leaves it as it is, bit for bit, so that without a session scores are exactly proportional to counts. */
typedef struct {
    double bound;  /* no label of the node scores more: its probability, or less */
    double lift;
    uint32_t node; /* or, where labels wait in a beam, a label with QAC_CHILD_LABEL */
} frontier_item;

typedef struct {
    double score;
    uint32_t label;
} candidate;

/* An answer of tree, composer or both, before its text is written. */
typedef struct qac_mixed {
    double score;
    double by_composer, by_recall; /* parts of it */
    uint32_t source;   /* QAC_INDEX, ... */
    uint32_t label;    /* QAC_NO_ID: composed or recalled */
    uint32_t begin, len; /* of its text in the scratch space; begin QAC_NO_ID: a label's that is not read yet */
    uint32_t rank;     /* of what is composed, among all that is; of what is recalled, how many queries ago it was */
    uint32_t meant;    /* bytes at its start that the prefix stands for */
} mixed;

/* Answers of the tree and of the composer, recalled and corrected ones. */
enum { MOST_MIXED = 3 * QAC_MAX_K + QAC_MAX_AGE };

struct qac_scratch {
    term *terms;           /* [QAC_MAX_TERMS] of one document */
    qac_feature *features; /* [2 * QAC_MAX_TERMS + 1] the request's, ascending by id */
    uint32_t n_features;
    double *z;             /* [max_children] sums of weights; all zero between expansions */
    uint8_t *is_touched;   /* [max_children] all zero between expansions */
    uint32_t *touched;     /* [max_children] */
    uint32_t n_touched;
    double *mass;          /* [max_children] of the eligible children */
    frontier_item *frontier;
    size_t n_frontier, frontier_capacity;
    candidate *top;        /* [QAC_MAX_K] best first */
    uint32_t n_top;
    double range_mass;     /* of the labels that start with the prefix */
    struct qac_compose_scratch *compose; /* NULL: the model has no composer */
    struct qac_mixed *mixed; /* [MOST_MIXED] */
    char *text;            /* of the answers */
    size_t text_len, text_capacity;
};

#endif
