import pg from 'pg';
import { makeContacts } from '../demo/contacts.ts';
const c = new pg.Client('postgres://postgres@127.0.0.1:5515/contacts_big'); await c.connect();
const id = '00000000-0000-7000-8000-000000000002';
await c.query(`begin; set local app.organization_id='${id}'`);
await makeContacts(c, id, 100000, 9);
await c.query('commit'); await c.query('vacuum analyze'); await c.end();
