-- It finds a SECURITY DEFINER function that anon may execute, by a grant to PUBLIC too.
CREATE FUNCTION privileged(n int) RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = ''
  AS 'SELECT n';
