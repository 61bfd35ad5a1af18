/* A client library that blocks, and that knows nothing of pirn or of any loop. */
#ifndef QUOTES_H
#define QUOTES_H

/* Ask the server at 127.0.0.1:`port` for a share's price. Returns it, or -1 and errno. */
int quotes_ask(int port, int share);

#endif
