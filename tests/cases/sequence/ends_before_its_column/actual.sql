CREATE TABLE t (id integer, n integer, k serial, i integer GENERATED ALWAYS AS IDENTITY, few integer);
CREATE SEQUENCE ending MAXVALUE 2147483647 OWNED BY t.id;
CREATE SEQUENCE few MAXVALUE 1000 OWNED BY t.few;
ALTER TABLE t ALTER id SET DEFAULT nextval('ending'), ALTER few SET DEFAULT nextval('few');
