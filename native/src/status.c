/* status.c - the texts of the result codes. */
#include "core.h"

const char *qac_strerror(int code)
{
    switch (code) {
    case QAC_OK:
        return "QAC_OK: done";
    case QAC_ENOMEM:
        return "QAC_ENOMEM: out of memory";
    case QAC_EINVAL:
        return "QAC_EINVAL: an argument is out of its range";
    case QAC_ECORRUPT:
        return "QAC_ECORRUPT: the model's content contradicts itself";
    case QAC_ECANCELLED:
        return "QAC_ECANCELLED: training was cancelled";
    case QAC_EFORM:
        return "QAC_EFORM: a text may not be in normal form";
    default:
        return "QAC_?: unknown code";
    }
}
