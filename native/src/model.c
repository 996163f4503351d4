/* model.c - opening a model: the tree and all settings are checked here, once, in linear time.
 *
 * The rest is checked where it is read: label strings (labels.c), buckets of vocabularies
 * (vocabulary.c), n-grams (ngrams.h), rows of weights (rows.c). They are the bulk of a model, and a request reads only a
 * few of them.
 */
#include <math.h>

#include "compose.h"
#include "model.h"

static bool check_factors(const double *factor)
{
    for (int i = 0; i < 256; i++)
        if (!(factor[i] > 0 && isfinite(factor[i])))
            return false;
    return true;
}

/* Nodes are numbered in breadth-first order: read in that order, references to nodes name 1, 2, 3, ... So every node has
 * one parent, and no walk downwards can be longer than the tree is deep. */
static bool check_tree(const qac_parts *p, uint32_t *max_children)
{
    const qac_tree *t = &p->tree;
    if (t->nodes == 0 || t->labels == 0 || t->labels >= QAC_CHILD_LABEL)
        return false;
    uint32_t next = 1;
    *max_children = 1;
    for (uint32_t i = 0; i < t->nodes; i++) {
        const qac_node *n = &t->node[i];
        const uint64_t end = n->flags & QAC_NODE_CLUSTERED ? t->n_members : t->labels;
        if (n->lo >= n->hi || n->hi > end || n->n_children == 0 || (uint64_t)n->block + n->n_blocks > p->rows.blocks ||
            !(n->mass > 0))
            return false;
        if (n->n_children > *max_children)
            *max_children = n->n_children;
        if (n->flags & QAC_NODE_LEAF) {
            if (n->n_children != n->hi - n->lo)
                return false;
            continue;
        }
        if ((uint64_t)n->child + n->n_children > t->n_children)
            return false;
        for (uint32_t c = 0; c < n->n_children; c++) {
            const uint32_t ref = t->children[n->child + c];
            if (ref & QAC_CHILD_LABEL ? (ref & ~(uint32_t)QAC_CHILD_LABEL) >= t->labels : ref != next++)
                return false;
        }
    }
    for (uint64_t i = 0; i < t->n_members; i++)
        if (t->members[i] >= t->labels)
            return false;
    return next == t->nodes && t->node[0].lo == 0 && t->node[0].hi == t->labels &&
           !(t->node[0].flags & QAC_NODE_CLUSTERED);
}

static bool check_recall(const double *recall)
{
    for (int i = 0; i < QAC_MAX_AGE; i++)
        if (!(recall[i] >= 0 && recall[i] <= 1))
            return false;
    return true;
}

int qac_model_open(const qac_parts *parts, qac_model **out)
{
    uint32_t max_children;
    if (!qac_vectorizer_is_valid(&parts->session) || !qac_vectorizer_is_valid(&parts->prefix) ||
        !qac_keys_are_valid(&parts->session_vocabulary.keys) || !qac_keys_are_valid(&parts->prefix_vocabulary.keys) ||
        !(parts->repeat_weight >= 0 && parts->repeat_weight <= 1) || !check_recall(parts->recall) ||
        !check_factors(parts->length_factor) || parts->loss > QAC_LOSS_HINGE ||
        parts->rows.weight_bits < QAC_MIN_WEIGHT_BITS || parts->rows.weight_bits > QAC_MAX_WEIGHT_BITS || !check_tree(parts, &max_children) ||
        !compose_check(&parts->composer))
        return QAC_ECORRUPT;
    /* The mixture needs probabilities from the tree. */
    if (parts->composer.word.order && (parts->loss != QAC_LOSS_SOFTMAX || parts->filters))
        return QAC_ECORRUPT;
    qac_model *m = qac_alloc(1, sizeof *m);
    if (!m)
        return QAC_ENOMEM;
    *m = (qac_model){
        .parts = *parts,
        .strings = {parts->label_text, parts->label_text_size, parts->label_block, parts->tree.labels, {0}},
        .max_children = max_children,
    };
    if (qac_label_find_pairs(&m->strings)) {
        free(m);
        return QAC_ENOMEM;
    }
    *out = m;
    return QAC_OK;
}

void qac_model_close(qac_model *m)
{
    if (!m)
        return;
    qac_label_free_pairs(&m->strings);
    free(m);
}

int qac_scratch_new(const qac_model *m, qac_scratch **out)
{
    enum { FRONTIER = 1024, TEXT = 16 * QAC_MAX_LABEL };
    qac_scratch *s = qac_alloc(1, sizeof *s);
    if (!s)
        return QAC_ENOMEM;
    *s = (qac_scratch){
        .terms = qac_alloc(QAC_MAX_TERMS, sizeof *s->terms),
        .features = qac_alloc(2 * QAC_MAX_TERMS + 1, sizeof *s->features),
        .z = qac_alloc(m->max_children, sizeof *s->z),
        .is_touched = qac_alloc(m->max_children, sizeof *s->is_touched),
        .touched = qac_alloc(m->max_children, sizeof *s->touched),
        .mass = qac_alloc(m->max_children, sizeof *s->mass),
        .frontier = qac_alloc(FRONTIER, sizeof *s->frontier),
        .frontier_capacity = FRONTIER,
        .top = qac_alloc(QAC_MAX_K, sizeof *s->top),
        .mixed = qac_alloc(MOST_MIXED, sizeof *s->mixed),
        .text = qac_alloc(TEXT, 1),
        .text_capacity = TEXT,
    };
    const bool composes = m->parts.composer.word.order > 0;
    if (composes)
        s->compose = compose_scratch_new(&m->parts.composer);
    if ((composes && !s->compose) || !s->terms || !s->features || !s->z || !s->is_touched || !s->touched || !s->mass ||
        !s->frontier || !s->top || !s->mixed || !s->text) {
        qac_scratch_free(s);
        return QAC_ENOMEM;
    }
    memset(s->z, 0, m->max_children * sizeof *s->z);
    memset(s->is_touched, 0, m->max_children);
    *out = s;
    return QAC_OK;
}

void qac_scratch_free(qac_scratch *s)
{
    if (!s)
        return;
    free(s->terms);
    free(s->features);
    free(s->z);
    free(s->is_touched);
    free(s->touched);
    free(s->mass);
    free(s->frontier);
    free(s->top);
    free(s->mixed);
    free(s->text);
    compose_scratch_free(s->compose);
    free(s);
}

int qac_prefix_range(const qac_model *m, const char *prefix, size_t len, uint32_t *lo, uint32_t *hi)
{
    qac_label_range(&m->strings, prefix, len, lo, hi);
    return QAC_OK;
}

uint32_t qac_find_label(const qac_model *m, const char *text, size_t len)
{
    uint32_t lo, hi;
    qac_label_pair_range(&m->strings, text, len, &lo, &hi);
    return qac_label_find(&m->strings, text, len, lo, hi);
}

int qac_label_text(const qac_model *m, uint32_t label, char *text, size_t size, size_t *len)
{
    char buffer[QAC_MAX_LABEL];
    if (label >= m->strings.n)
        return QAC_EINVAL;
    const int n = qac_label_decode(&m->strings, label, buffer);
    if (n < 0)
        return QAC_ECORRUPT;
    memcpy(text, buffer, (size_t)n < size ? (size_t)n : size);
    *len = (size_t)n;
    return QAC_OK;
}
