/* error - codes and texts: of a handle, or of a thread where there is none */
#include "api/handle.h"
#include <stdarg.h>
#include <stdio.h>

static _Thread_local char thread_text[1000];           /* names each place where a daemon was sought */

const char *
handle_thread_text(void)
{
	return thread_text;
}

int
handle_fail(struct handle *h, int code, const char *format, ...)
{
	va_list ap;
	char *text = h ? h->text : thread_text;
	va_start(ap, format);
	vsnprintf(text, h ? sizeof h->text : sizeof thread_text, format, ap);
	va_end(ap);
	return code;
}

const char *
mom_strerror(int error)
{
	static const char *const texts[] = {
		[0] = "success",
		[-MOM_EINVAL] = "an argument is wrong",
		[-MOM_ETOPIC] = "not a valid topic",
		[-MOM_ETOOBIG] = "the message is too big",
		[-MOM_ENODAEMON] = "no mom_daemon runs here",
		[-MOM_ETIMEDOUT] = "not in time",
		[-MOM_EEXIST] = "already subscribed",
		[-MOM_ENOTSUB] = "not subscribed",
		[-MOM_EFULL] = "the broker's store, its disk, or this topic's share of it (--topic-max), is full",
		[-MOM_EIO] = "a disk failed",
		[-MOM_EBADID] = "no such client",
		[-MOM_EFORK] = "the handle belongs to the parent process",
		[-MOM_EBUSY] = "the durable name is in use",
		[-MOM_ELIMIT] = "a limit is reached",
		[-MOM_EPROTO] = "the client's ring holds garbage",
		[-MOM_EINTR] = "interrupted",
		[-MOM_ELOST] = "fast messages were lost in a power cut",
		[-MOM_ENOSUBSCRIBER] = "nobody subscribes to the topic itself",
		[-MOM_ENORESOURCE] = "no semaphore or variable of this name",
		[-MOM_EAGAIN] = "not sent",
		[-MOM_ENOGROUP] = "no group of this name",
	};
	return error <= 0 && error >= MOM_ENOGROUP ? texts[-error] : "unknown error";
}
