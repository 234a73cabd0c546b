"""hello - subscribes to a topic, says something to it, prints what comes: hello.py [TOPIC [TEXT]]"""
import os
import sys

try:
    import mom
except ImportError:                                  # not installed: the one of this source tree
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "api"))
    import mom

topic = sys.argv[1] if len(sys.argv) > 1 else "news"
text = sys.argv[2] if len(sys.argv) > 2 else "hello, world"
try:
    with mom.Client() as client:
        client.subscribe(topic)
        client.publish(topic, text)                  # returns when it is on the broker's disk
        message = client.receive(timeout=5)
        print("%s: %s" % (message.topic, message.text))
except mom.Error as error:
    sys.exit("hello.py: " + error.text)
