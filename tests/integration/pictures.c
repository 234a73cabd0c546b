/* pictures - diagrams/ as it is in the source */
#include <lib/run.h>
#include <lib/t.h>
#include <string.h>

TEST(up_to_date, "each picture of diagrams/ is what its script makes, is sound XML without anything from elsewhere, "
    "and a text shows it")
{
	if (run_command("command -v python3").status != 0) {
		t_remark("pictures/up_to_date: left out: no python3");
		return;
	}
	struct ran r = run_command("python3 diagrams/draw.py --check");
	REQUIRE(r.status == 0, "%s", r.err);
	r = run_command("python3 -c 'import sys, xml.dom.minidom as x; [x.parse(f) for f in sys.argv[1:]]' "
	    "diagrams/*.svg");
	REQUIRE(r.status == 0, "%s", r.err);
	r = run_command("grep -lE 'href|url\\(|<image|<script|@import' diagrams/*.svg");
	REQUIRE(r.status == 1, "%s", r.out);
	r = run_command("for f in diagrams/*.svg; do grep -q \"(${f##*/})\" \"${f%%.svg}.md\" || echo $f; done");
	REQUIRE(strcmp(r.out, "") == 0, "no text shows %s", r.out);
}
