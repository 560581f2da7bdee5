// Draws a picture that is written down in Graphviz' language: picture.mjs architecture.dot >architecture.svg
// Graphviz as WebAssembly has the same fonts everywhere, and so draws the same file everywhere.
import { readFileSync } from 'node:fs';
import { Graphviz } from '@hpcc-js/wasm-graphviz';

const graphviz = await Graphviz.load();
process.stdout.write(graphviz.dot(readFileSync(process.argv[2], 'utf8'), 'svg'));
