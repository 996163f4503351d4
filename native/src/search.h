/* search.h - the tree's side of a request. */
#ifndef QAC_SEARCH_H
#define QAC_SEARCH_H

#include "model.h"

/* A request to the tree. */
typedef struct {
    const qac_model *m;
    qac_scratch *s;
    uint32_t lo, hi;   /* labels that may be answers: those that start with the prefix, or with one like it */
    uint32_t from, to; /* labels that the search goes to: the same or, where the model filters, all */
    bool filters;      /* the prefix selects among what is found, not where the search goes */
    bool by_mass;      /* the request has no features */
    bool hinge;        /* scores come from hinge rankers; else children share their node's probability */
    uint32_t k;
    uint32_t repeated; /* label of the last query itself, or QAC_NO_ID */
    /* What labels and nodes weigh: as the rankers learned it or, by popularity, their counts. */
    label_weights label_mass;
    const double *member_mass;
    const double *node_mass; /* NULL: the mass in the node */
    const float *label_top;  /* no label of a node has more */
    uint32_t root;     /* where the search begins: the first node with a choice */
} search;

/* Does the composer take part? */
bool is_mixing(const qac_model *m, uint32_t options);

/* Is the request answered by counts alone: no session, no composer? */
bool is_popular(const qac_model *m, size_t session_len, uint32_t options);

/* Reads the request. popular: labels weigh their counts. search_range must follow. */
int search_start(search *q, const qac_model *m, qac_scratch *s, const char *prefix, size_t prefix_len, const char *session,
                 size_t session_len, bool popular);

/* Limits the search to labels of [lo, hi). */
void search_range(search *q, uint32_t lo, uint32_t hi);

/* Puts the best labels, up to k, into s->top; their scores are P(label | session, prefix). beam 0: exact. Sets
 * s->range_mass. */
int search_best(search *q, uint32_t k, uint32_t beam);

/* P(label | session, prefix), for a label in range. */
double search_label_probability(search *q, uint32_t label);

#endif
