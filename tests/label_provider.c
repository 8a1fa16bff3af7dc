/* A provider of security labels that takes whatever it is told: PostgreSQL itself comes with none that tests could use. */
#include "postgres.h"

#include "commands/seclabel.h"
#include "fmgr.h"

PG_MODULE_MAGIC;

void _PG_init(void);

static void
take(const ObjectAddress *object, const char *label)
{
	if (label != NULL && strcmp(label, "refused") == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME), errmsg("\"%s\" is not a label", label)));
}

void
_PG_init(void)
{
	register_label_provider("guard", take);
}
