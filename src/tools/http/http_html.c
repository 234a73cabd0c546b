/* http_html - the page for people, src/tools/http/http_page.html, as bytes of this program */
#include "tools/http/http.h"

__asm__(".pushsection .rodata\n"
	".global http_html\n"
	"http_html:\n"
	".incbin \"src/tools/http/http_page.html\"\n"
	"http_html_end:\n"
	".balign 4\n"
	".global http_html_bytes\n"
	"http_html_bytes:\n"
	".int http_html_end - http_html\n"
	".popsection\n");
