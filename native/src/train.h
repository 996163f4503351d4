/* train.h - a node's learning problem, and the losses that solve it. */
#ifndef QAC_TRAIN_H
#define QAC_TRAIN_H

#include "core.h"

/* One node's problem. "Local" features are numbered 0.. in ascending order of their global ids; only those that some
 * example of the node has exist. A slot is a (feature, child) pair that occurs together in an example: one weight. */
typedef struct {
    uint32_t children;
    const double *mass;        /* [children] counts; the offset of the softmax is their logarithm */
    double total_mass, least_mass; /* sum and smallest */

    uint32_t sessions;         /* distinct feature vectors */
    const uint64_t *x_end;     /* [sessions] features of session s: x_feature/x_value [x_end[s-1], x_end[s]) */
    const uint32_t *x_feature; /* local */
    const float *x_value;
    const uint64_t *y_end;     /* [sessions] what followed: y_child/y_weight [y_end[s-1], y_end[s]), children ascend */
    const uint32_t *y_child;
    const float *y_weight;

    uint32_t features;
    const uint64_t *slot_end;   /* [features] slots of a feature, children ascend */
    const uint32_t *slot_child;
    uint64_t slots;
} node_problem;

/* A growing buffer that keeps its size between nodes. */
typedef struct {
    void *data;
    uint64_t capacity; /* in bytes */
} buffer;

void *buffer_need(buffer *b, uint64_t n, size_t size); /* room for n things; content is lost; NULL: out of memory */

/* Minimises the loss by L-BFGS. weight: [slots], zero on entry. work: kept between calls. Adds to *passes as it goes and
 * returns QAC_ECANCELLED soon after *cancel is set. loss[0], loss[1]: before and after, without the penalty. */
int fit_softmax(const node_problem *p, const qac_training *t, double *weight, buffer *work, volatile uint64_t *passes,
                const volatile int *cancel, double loss[2]);

#endif
