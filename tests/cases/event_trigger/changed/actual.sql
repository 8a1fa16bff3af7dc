CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS 'begin null; end';
CREATE EVENT TRIGGER tagged ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION note();
COMMENT ON EVENT TRIGGER tagged IS 'kept';
CREATE EVENT TRIGGER switched ON ddl_command_end EXECUTE FUNCTION note();
CREATE EVENT TRIGGER gone ON sql_drop EXECUTE FUNCTION note();
