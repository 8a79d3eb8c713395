// The server under measurement, as a process of its own: the real one, with everything on.
import { readConfig } from '../src/config.ts';
import { start } from '../src/main.ts';

const running = await start(readConfig(), 'api');
process.send!({ port: Number(new URL(running.url!).port) });
process.on('disconnect', () => process.exit());
