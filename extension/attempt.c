/*-------------------------------------------------------------------------
 *
 * attempt.c
 *	  Locks rows and writes, in such a way that the locks can be given back.
 *
 * A row lock is kept until the end of the transaction that took it.  A call
 * that finds, half-way through its locks, that a row has changed matches again,
 * and then locks the new versions, which lie elsewhere: while it keeps the locks
 * it has, it may wait for a call that waits for them.  In a subtransaction all
 * are given back first.  What holds a lock then, and waits for another, holds
 * current versions and waits for a current version, in the one order of their
 * addresses, so that there is no circle.
 *
 * The rows are written in the same subtransaction: a row locked by one and
 * written by another would need a MultiXact.
 *
 *-------------------------------------------------------------------------
 */
#include "bulk_sync.h"

#include "access/xact.h"
#include "utils/resowner.h"

/*
 * Runs the function in a subtransaction.  That stays if the result is true;
 * else, and if there is an error, it is rolled back.
 */
bool
bulk_sync_attempt(bool (*function) (void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	/* What is opened here may be closed afterwards */
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;

	PG_TRY();
	{
		done = function(arg);
		/* Citus may fail to tell other nodes of it, or be cancelled meanwhile */
		if (done)
			ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		ReThrowError(error);
	}
	PG_END_TRY();

	if (!done)
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return done;
}
