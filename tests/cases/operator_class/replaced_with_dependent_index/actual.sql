CREATE FUNCTION public.backwards(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT b - a';
CREATE OPERATOR FAMILY public.descending USING btree;
CREATE OPERATOR CLASS public.int_descending FOR TYPE int USING btree FAMILY public.descending AS
  OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 public.backwards(int, int);
CREATE TABLE public.t (a int);
CREATE INDEX t_a_idx ON public.t (a public.int_descending);
