/* matches.c - which nodes a search would come to, for negatives that match what rankers will meet ("matcher-aware").
 *
 * One level at a time: from the nodes kept for a session, all their children are scored, exp(-max(0, 1 - z)^3) times the
 * node's own score, and the best `width` of those that are nodes are kept. Yu et al., PECOS, arXiv 2010.05878, section 3.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "train.h"

typedef struct beam_item {
    float score;
    uint32_t node;
} beam_item;

enum { CHUNK = 256 }; /* sessions that a thread takes at once */

typedef struct {
    matches *m;
    const qac_tree *tree;
    const qac_examples *examples;
    const ranker *rankers;
    uint32_t max_children;
    atomic_uint_fast32_t next; /* the first session not taken */
    atomic_int status;
} descent;

int matches_start(matches *m, const qac_tree *tree, uint32_t rows, uint32_t width)
{
    *m = (matches){.width = width < tree->nodes ? width : tree->nodes};
    m->item = qac_alloc((uint64_t)rows * m->width, sizeof *m->item);
    m->n = qac_alloc(rows, sizeof *m->n);
    if (!m->item || !m->n)
        return QAC_ENOMEM;
    for (uint32_t i = 0; i < rows; i++) {
        m->n[i] = 1;
        m->item[(uint64_t)i * m->width] = (beam_item){1, 0};
    }
    return QAC_OK;
}

void matches_free(matches *m)
{
    free(m->item);
    free(m->n);
    free(m->row_begin);
    free(m->row);
    *m = (matches){0};
}

/* Adds each child's w.x to z, which holds zeros. */
static void score_children(const ranker *r, const qac_examples *e, uint32_t row, double *z)
{
    uint32_t at = 0;
    for (uint64_t j = row ? e->row_end[row - 1] : 0; j < e->row_end[row] && at < r->rows; j++) {
        at = qac_lower_bound(r->row_feature, at, r->rows, e->feature[j]);
        if (at == r->rows || r->row_feature[at] != e->feature[j])
            continue;
        for (uint64_t k = at ? r->row_end[at - 1] : 0; k < r->row_end[at]; k++)
            z[r->entry_child[k]] += (double)r->entry_weight[k] * e->value[j];
    }
}

/* Puts an item among the best so far; of equal ones the smaller node is better. */
static uint32_t offer(beam_item *best, uint32_t n, uint32_t width, beam_item item)
{
    uint32_t at = n;
    while (at > 0 && (best[at - 1].score < item.score ||
                      (best[at - 1].score == item.score && best[at - 1].node > item.node)))
        at--;
    if (at == width)
        return n;
    n += n < width;
    memmove(&best[at + 1], &best[at], (n - 1 - at) * sizeof item);
    best[at] = item;
    return n;
}

static void descend_row(descent *d, uint32_t row, double *z, beam_item *best)
{
    matches *m = d->m;
    beam_item *items = m->item + (uint64_t)row * m->width;
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n[row]; i++) {
        const qac_node *node = &d->tree->node[items[i].node];
        if (node->flags & QAC_NODE_LEAF)
            continue;
        memset(z, 0, node->n_children * sizeof *z);
        score_children(&d->rankers[items[i].node], d->examples, row, z);
        for (uint32_t c = 0; c < node->n_children; c++) {
            const uint32_t ref = d->tree->children[node->child + c];
            if (!(ref & QAC_CHILD_LABEL))
                n = offer(best, n, m->width, (beam_item){(float)(items[i].score * qac_l3_hinge(z[c])), ref});
        }
    }
    memcpy(items, best, n * sizeof *items);
    m->n[row] = n;
}

static void *descend(void *argument)
{
    descent *d = argument;
    double *z = qac_alloc(d->max_children, sizeof *z);
    beam_item *best = qac_alloc(d->m->width, sizeof *best);
    if (!z || !best)
        atomic_store(&d->status, QAC_ENOMEM);
    while (!atomic_load(&d->status)) {
        const uint_fast32_t begin = atomic_fetch_add(&d->next, CHUNK);
        if (begin >= d->examples->rows)
            break;
        for (uint32_t i = (uint32_t)begin; i < begin + CHUNK && i < d->examples->rows; i++)
            descend_row(d, i, z, best);
    }
    free(z);
    free(best);
    return NULL;
}

/* Lists the sessions by node. */
static int invert(matches *m, uint32_t rows, uint32_t first, uint32_t last)
{
    free(m->row_begin);
    free(m->row);
    uint64_t total = 0;
    for (uint32_t i = 0; i < rows; i++)
        total += m->n[i];
    m->first = first;
    m->row_begin = qac_alloc(last - first + 2u, sizeof *m->row_begin);
    m->row = qac_alloc(total, sizeof *m->row);
    if (!m->row_begin || !m->row)
        return QAC_ENOMEM;
    uint64_t *begin = m->row_begin + 1; /* while filling, one place further */
    memset(m->row_begin, 0, (last - first + 2u) * sizeof *m->row_begin);
    for (uint32_t i = 0; i < rows; i++)
        for (uint32_t j = 0; j < m->n[i]; j++)
            begin[m->item[(uint64_t)i * m->width + j].node - first + 1]++;
    for (uint32_t i = 0; i < last - first; i++)
        begin[i + 1] += begin[i];
    for (uint32_t i = 0; i < rows; i++)
        for (uint32_t j = 0; j < m->n[i]; j++)
            m->row[begin[m->item[(uint64_t)i * m->width + j].node - first]++] = i;
    return QAC_OK;
}

int matches_descend(matches *m, const qac_tree *tree, const qac_examples *examples, const ranker *rankers, uint32_t first,
                    uint32_t last, uint32_t threads)
{
    descent d = {.m = m, .tree = tree, .examples = examples, .rankers = rankers, .max_children = 1};
    for (uint32_t i = 0; i < first; i++)
        if (tree->node[i].n_children > d.max_children)
            d.max_children = tree->node[i].n_children;
    pthread_t *thread = qac_alloc(threads, sizeof *thread);
    if (!thread)
        return QAC_ENOMEM;
    uint32_t started = 0;
    for (uint32_t i = 1; i < threads; i++)
        if (pthread_create(&thread[started], NULL, descend, &d) == 0)
            started++;
    descend(&d);
    for (uint32_t i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
    free(thread);
    const int status = atomic_load(&d.status);
    return status ? status : invert(m, examples->rows, first, last);
}
